"""`python -m load.baselines`: measure one baseline on the running local stack."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from load.baselines.measure import measure
from load.baselines.worker import MODULES


@click.command()
@click.argument("kind", type=click.Choice(list(MODULES)))
@click.option("--events", default=100_000, show_default=True, type=click.IntRange(1), help="Size of the backlog.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64), help="Partitions per topic.")
@click.option("--prefix", default="", help="Prefix of its topics and keys.  [default: a new one]")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(kind: str, events: int, partitions: int, prefix: str, file: Path | None) -> None:
    """Drain a backlog of the reference job with one process of another system, and print the figures as JSON.

    Uses the running stack (TIDECAST_DATA or ./.tidecast) and removes its topics and keys afterwards. `bare` needs no
    stack.

    \b
    tidecast stack up
    python -m load.baselines confluent --events 100000
    """
    text = json.dumps(asdict(measure(kind, events, partitions, prefix)))
    click.echo(text)
    if file is not None:
        file.write_text(text + "\n")


if __name__ == "__main__":
    main()
