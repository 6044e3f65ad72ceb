"""Coverage-guided fuzzing: python -m tests.fuzz.guided TARGET CORPUS [libFuzzer options]. Requires atheris."""

import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

INSTRUMENTED = ("streams", "schemas", "fastavro._read_py", "fastavro._schema_py", "agents.stack.clickhouse_http")


def _lead_through_avro() -> None:
    """Read every body with fastavro's Python reader too. The compiled reader reports no coverage."""
    from fastavro import _read_py

    from streams.avro import codec

    real = codec.schemaless_reader

    def both(body: Any, writer: Any, reader: Any = None) -> Any:
        at = body.tell()
        with contextlib.suppress(Exception):
            _read_py.schemaless_reader(body, writer, reader)
        body.seek(at)
        return real(body, writer, reader)

    codec.schemaless_reader = both


def main(name: str, corpus: str, options: list[str]) -> None:
    """Run libFuzzer, which ends the process. Never return."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        target = importlib.import_module(f"tests.fuzz.targets.{name}")
        _lead_through_avro()
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.SEEDS):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
