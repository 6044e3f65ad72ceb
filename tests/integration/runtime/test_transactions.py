"""The transactional mode on a real Kafka. A reader of committed records sees each output once without a mark."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from agents.kafka.read_ahead import GroupReadAhead
from agents.settings import load_settings
from streams.log import TopicPartition
from tests.integration.conftest import Stack
from tests.integration.runtime.counting.stage import SOURCE, STAGE
from tests.integration.runtime.counting.world import GROUP, PARTITIONS, World, ended, world
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
ON = {"TIDECAST_TRANSACTIONS": "true"}


@pytest.fixture
def system(stack: Stack) -> Iterator[World]:
    with world(stack) as made:
        yield made


def check(system: World) -> None:
    """Check that the state is right, and that each output occurs once and in order."""
    assert system.counted() == system.expected()
    assert system.outputs() == [list(range(len(sent))) for sent in system.sent]


def arm(folder: Path, point: str, word: str) -> Path:
    """Arm a fail point of the counting worker. The returned file disappears when the worker reaches it."""
    folder.mkdir(exist_ok=True)
    file = folder / f"counting.{point}"
    (folder / "new").write_text(word)
    (folder / "new").rename(file)
    return file


def test_a_worker_killed_before_and_after_the_end_of_its_transactions_repeats_nothing(
    system: World, tmp_path: Path
) -> None:
    folder = tmp_path / "points"
    points = {**ON, "TIDECAST_FAIL_POINTS": str(folder)}
    system.send(4_000)
    for kill, point in enumerate(("acked", "produced", "acked")):
        arm(folder, point, "kill")
        worker = system.start("a", 0, 100 + kill, **points)  # cut the slices at other offsets each time
        assert exit_code(worker) == -signal.SIGKILL
    assert system.total() < 4_000
    system.start("a", **points)
    until(system.done)
    check(system)


def test_older_state_is_worked_off_again_in_silence(system: World) -> None:
    system.send(2_000)
    worker = system.start("a", **ON)
    until(system.done)
    assert ended(worker) == 0
    backup = [system.store.read(STAGE, SOURCE, partition) for partition in range(PARTITIONS)]
    system.send(2_000)
    worker = system.start("a", **ON)
    until(system.done)
    assert ended(worker) == 0
    for partition, kept in enumerate(backup):
        now = system.store.read(STAGE, SOURCE, partition)
        assert kept is not None and now is not None
        system.store.commit(STAGE, SOURCE, partition, now[0], *kept)
    system.send(400)
    system.start("a", 0, 77, **ON)
    until(system.done)
    check(system)


def test_a_sleeper_that_wakes_up_is_fenced(system: World, tmp_path: Path) -> None:
    folder = tmp_path / "points"
    sleeper = system.start("a", 0, 100, **ON, TIDECAST_FAIL_POINTS=str(folder))
    other = system.start("b", **ON)
    system.send(2_000)
    until(system.done)
    until(lambda: system.ready("a") and system.ready("b"))
    armed = arm(folder, "computed", "stop")
    system.send(2_000)
    until(lambda: not armed.exists())
    until(system.done)  # the other worker takes over when the sleeper's session ends
    sleeper.send_signal(signal.SIGCONT)
    until(lambda: b"Another worker has taken over" in system.log("a").read_bytes())
    system.send(400)
    until(system.done)
    assert ended(other) == 0 == ended(sleeper)
    check(system)


def test_the_mode_can_be_switched_on_off_and_on_again(system: World) -> None:
    for environment in ({}, ON, {}, ON):
        system.send(400)
        worker = system.start("a", **environment)
        until(system.done)
        assert ended(worker) == 0
    check(system)


def test_markers_and_aborted_records_are_neither_counted_nor_lag(
    system: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(system.stack.folder))
    system.start("a")
    writer = Producer({**system.kafka, "transactional.id": f"{system.prefix}writer"})
    writer.init_transactions(PATIENCE_S)
    for value, end in ((b"first", writer.commit_transaction), (b"never", writer.abort_transaction)):
        writer.begin_transaction()
        writer.produce(system.prefix + SOURCE, value, partition=2)
        writer.flush()
        end()
    system.sent[2].append(b"first")
    until(system.done)
    until(lambda: lag(system) == 0)
    passed = GroupReadAhead(load_settings(topic_prefix=system.prefix))
    place = TopicPartition(SOURCE, 2)
    until(lambda: passed.of(GROUP).get(place) == (1, 4))  # first, its marker, never, its marker
    assert system.counted() == system.expected()
    assert system.outputs()[2] == [0]


def lag(system: World) -> float | None:
    """Return the lag of partition 2 from the worker's metrics; None before it is measured."""
    lines = system.health("a", "metrics")[1].splitlines()
    ours = [line for line in lines if line.startswith("tidecast_lag_records{") and '"2"' in line]
    return float(ours[0].split()[-1]) if ours else None
