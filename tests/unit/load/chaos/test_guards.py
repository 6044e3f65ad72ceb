"""Guards can be switched off. Each patch finds its attribute, and a missing attribute ends the process."""

import importlib
import inspect
import os
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest

from load.chaos import guards
from load.chaos.guards import GUARDS, without
from load.chaos.guards.sabotage import commit_script, history, marks, models
from load.chaos.guards.sabotage.patch import Patch
from sinks import model_store
from sinks.clickhouse.history import HistorySlice
from sinks.redis import script
from streams.log import TopicPartition
from tests.waiting import PATIENCE_S

PATCHED = [patch for guard in GUARDS.values() for patch in guard.patches]


def run(program: str, *names: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **without(*names), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture
def made_up(tmp_path: Path) -> dict[str, str]:
    """Create a table of made-up guards next to the real sitecustomize."""
    here = Path(guards.__file__).parent
    (tmp_path / "sitecustomize.py").write_text((here / "sitecustomize.py").read_text())
    (tmp_path / "sabotage.py").write_text(
        "from types import SimpleNamespace as N\n"
        "GUARDS = {'moved': N(patches=[N(module='colorsys', attribute='nowhere', make=str)]),\n"
        "          'changed': N(patches=[N(module='colorsys', attribute='ONE_SIXTH', make=lambda _: 1 / 0)]),\n"
        "          'sixth': N(patches=[N(module='colorsys', attribute='ONE_SIXTH', make=lambda x: x + 1)])}\n"
    )
    return {"PYTHONPATH": str(tmp_path)}


def test_every_patch_finds_its_attribute() -> None:
    program = f"import importlib; [importlib.import_module(m) for m in {sorted({p.module for p in PATCHED})}]"
    done = run(program, *GUARDS)
    assert done.returncode == 0, done.stderr
    patched = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if line.startswith("TIDECAST_WITHOUT: ")]
    assert sorted(patched) == sorted(f"{patch.module}.{patch.attribute}" for patch in PATCHED)


@pytest.mark.parametrize("patch", PATCHED, ids=lambda patch: patch.attribute)
def test_a_replaced_function_can_be_called_like_the_original(patch: Patch) -> None:
    """A replacement has the same argument names. A call by keyword would fail otherwise."""
    there = reduce(getattr, patch.attribute.split("."), importlib.import_module(patch.module))
    if inspect.isfunction(there):
        instead = inspect.signature(patch.make(there)).parameters
        anything = any(p.kind is p.VAR_POSITIONAL for p in instead.values())
        assert anything or list(instead) == list(inspect.signature(there).parameters)


def test_without_its_order_an_older_switch_is_followed() -> None:
    """No switch raises an error. Otherwise it would be a dead letter and prove nothing."""
    program = (
        "from agents.sizing.measuring.job import Job, PLACE, JobReplay; from streams.log import Record;"
        "from streams.replay import replay; from streams.timeline import PartitionHeader;"
        "replayed = JobReplay(Job(events=2000, customers=100, observe=1.0, serve_every=100));"
        "_, switch = replayed.codec.decode(replayed.switches()[0]);"
        "values = [replayed.deployed('customer-events')];"
        "values += [replayed.control('tidecast.Switch', {**switch, 'command': number}) for number in (5, 3)];"
        "scoring = replayed.scoring();"
        "outputs = list(replay(scoring, {PLACE: [Record(at, 0, None, value) for at, value in enumerate(values)]}));"
        "header = PartitionHeader.unpack(scoring._committed[0][1]);"
        "print(header.counters['dead'], [serving.command for serving in header.serving.values()])"
    )
    assert run(program, "switch-order").stdout == "0 [3]\n"
    assert run(program).stdout == "0 [5]\n"


def test_a_module_is_patched_before_other_modules_import_its_names(made_up: dict[str, str]) -> None:
    program = "from colorsys import ONE_SIXTH; print(ONE_SIXTH > 1)"
    assert run(program, **made_up, TIDECAST_WITHOUT="sixth").stdout == "True\n"
    assert run(program, **made_up, TIDECAST_WITHOUT="").stdout == "False\n"


@pytest.mark.parametrize("guard", ["moved", "changed", "unknown"])
def test_a_missing_attribute_ends_the_process(made_up: dict[str, str], guard: str) -> None:
    done = run("import colorsys; print('went on')", **made_up, TIDECAST_WITHOUT=guard)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"TIDECAST_WITHOUT: {'there is no guard ' if guard == 'unknown' else guard}")


def test_the_patches_import_nothing_at_the_start() -> None:
    heavy = "('sinks', 'streams', 'agents', 'faust', 'redis', 'asyncio')"
    done = run(f"import sys; print([name for name in {heavy} if name in sys.modules])", *GUARDS)
    assert done.stdout == "[]\n"


def test_an_unknown_guard_is_refused() -> None:
    with pytest.raises(KeyError, match="nope"):
        without("nope")


def test_the_patched_script_does_not_compare() -> None:
    loose = commit_script.without_comparison(script.SOURCE)
    assert b"ARGV[1] then return 0" in script.SOURCE
    assert b"return 0" not in loose
    with pytest.raises(LookupError):
        commit_script.without_comparison(loose)


def test_a_snapshot_in_place_can_be_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(point: str) -> None:
        raise OSError(point)

    monkeypatch.setattr("sinks.failpoints.hit", full)
    place = tmp_path / "models" / "one.snapshot"
    with pytest.raises(OSError):
        models.write_in_place(model_store._write_durably)(str(place), b"12345678")
    assert place.read_bytes() == b"1234"


def test_history_swaps_rows_and_positions() -> None:
    done: list[str] = []

    class Writer:
        def write(self, rows: object) -> None:
            if rows:
                done.append("rows")

        def write_positions(self, rows: object) -> None:
            done.append("positions")

    at = TopicPartition("predictions", 0)
    part = HistorySlice(1, Writer(), {"events": [(1,)]}, {at: 5}, {at: 7})  # type: ignore[arg-type]
    part.commit()
    history.positions_before_rows(HistorySlice.commit)(part)
    assert done == ["rows", "positions", "positions", "rows"]


def test_only_the_mark_of_a_repetition_is_forgotten() -> None:
    seen: dict[int, tuple[int, int, int]] = {0: (1, 50, 0), 1: (1, 50, 0)}
    marks.forget_mark(seen, 0, {"epoch": 1, "offset": 51, "ordinal": 0})
    marks.forget_mark(seen, 1, {"epoch": 1, "offset": 50, "ordinal": 0})
    marks.forget_mark(seen, 2, {"epoch": 1, "offset": 50, "ordinal": 0})
    assert seen == {0: (1, 50, 0), 1: marks.BELOW_ALL}
