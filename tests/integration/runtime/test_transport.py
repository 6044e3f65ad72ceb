"""Batches through Faust on a real Kafka. No record is lost or counted twice when processes fail."""

import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from tests.integration.conftest import Stack
from tests.integration.runtime.counting.gate import Gate
from tests.integration.runtime.counting.stage import SOURCE
from tests.integration.runtime.counting.world import World, ended, world
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
LONG_S = str(2 * PATIENCE_S)
LONG_SESSION = {"TEST_SESSION_S": LONG_S, "BROKER_REQUEST_TIMEOUT": str(3 * PATIENCE_S)}
"""A session timeout longer than any test's patience. A test fails when its worker waits for this timeout."""


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def system(stack: Stack) -> Iterator[World]:
    with world(stack) as made:
        yield made


def test_all_is_counted_once_and_reported_to_the_group(system: World) -> None:
    system.send(20_000)
    worker = system.start("a")
    until(system.done)
    system.check()
    until(lambda: system.group_offsets() == [5000] * 4)
    assert ended(worker) == 0
    assert b"Traceback" not in system.log("a").read_bytes()


def test_what_comes_while_a_batch_is_at_work_is_in_the_next_one(system: World, gate: Gate) -> None:
    """Records that arrive during a batch form one batch. None of them waits for another one's batch."""
    gate.allow(0)
    worker = system.start("a", **gate.environment)
    system.send(1)
    until(gate.waiting)
    for partition in (1, 2, 3, 0, 1):
        system.send_one(partition, b"later")
        system.flush()
    gate.open()
    until(system.done)
    assert [batch.records for batch in gate.batches()] == [1, 5]
    assert ended(worker) == 0


def test_a_killed_worker_goes_on_where_its_store_is(system: World, gate: Gate) -> None:
    system.send(20_000)
    gate.allow(19_000)
    for goal in (1_000, 3_000, 6_000):
        worker = system.start("a", 0.05, 200, **gate.environment)
        until(lambda goal=goal: system.total() >= goal)
        worker.kill()
        worker.wait()
    assert system.total() <= 19_000
    worker = system.start("a")
    until(system.done)
    system.check()
    assert ended(worker) == 0


def test_after_a_kill_the_same_member_comes_back_before_its_session_ends(system: World) -> None:
    system.send(4_000)
    worker = system.start("a", **LONG_SESSION)
    until(system.done)
    worker.kill()
    worker.wait()
    system.send(400)
    system.start("a", **LONG_SESSION)
    until(system.done)
    system.check()


def test_a_second_process_takes_its_share_and_gives_it_back_at_once(system: World) -> None:
    first = system.start("a", 0.002, 50, **LONG_SESSION)
    until(lambda: system.ready("a"))
    stop = threading.Event()
    feeding = threading.Thread(target=lambda: [system.send(200) for _ in iter(lambda: stop.wait(0.02), True)])
    feeding.start()
    try:
        second = system.start("b", 0.002, 50, **LONG_SESSION)
        until(lambda: "tidecast_slices_total" in system.health("b", "metrics")[1] and worked(system, "b") > 10)
        assert first.poll() is None
        assert ended(second) == 0
        at = [count for count, _ in system.counted()]
        until(lambda: all(now > then for (now, _), then in zip(system.counted(), at, strict=True)))
    finally:
        stop.set()
        feeding.join()
    until(system.done)
    system.check()


def worked(system: World, kind: str) -> float:
    """Return the number of slices a worker has committed, from its metrics."""
    lines = system.health(kind, "metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tidecast_slices_total"))


def test_a_stop_under_load_waits_for_a_slice_and_not_for_the_backlog(system: World, gate: Gate) -> None:
    system.send(40_000)
    gate.allow(1_000)
    worker = system.start("a", 0, 100, TEST_STOP_S=LONG_S, **gate.environment)
    until(gate.waiting)  # in the middle of a batch
    worker.send_signal(signal.SIGTERM)
    until(gate.stopping)
    assert worker.poll() is None
    before = system.total()
    gate.open()
    assert exit_code(worker) == 0
    assert before < system.total() <= before + 100
    at = [count for count, _ in system.counted()]
    assert system.group_offsets() == at
    system.start("a")
    until(system.done)
    system.check()


def test_a_second_signal_ends_at_once(system: World, gate: Gate) -> None:
    system.send(1_000)
    gate.allow(0)
    worker = system.start("a", TEST_STOP_S=LONG_S, **gate.environment)
    until(gate.waiting)  # the worker holds a slice and cannot finish it
    worker.send_signal(signal.SIGINT)
    until(gate.stopping)
    until(lambda: system.ready("a"))  # it still answers while it waits for its slice
    assert ended(worker, signal.SIGINT) == 130


def test_partitions_that_a_stage_does_not_want_are_never_read(system: World) -> None:
    system.send(4_000)
    system.start("a", 0, 500, 2)
    until(lambda: system.counted()[2][0] == 1_000)
    system.send(4_000)
    until(lambda: system.counted()[2][0] == 2_000)
    assert [count for count, _ in system.counted()] == [0, 0, 2_000, 0]


def test_an_error_that_nobody_expected_ends_the_worker_before_the_record(system: World) -> None:
    for number in range(1_000):
        system.send_one(1, b"poison" if number == 700 else b"%d" % number)
    system.send(0)
    worker = system.start("a", 0, 100, TEST_POISON="1")
    assert exit_code(worker) == 1
    assert system.counted()[1][0] == 700  # records before the error are kept, records after it are not processed
    assert b"poison at 700" in system.log("a").read_bytes()
    system.start("a")
    until(system.done)
    system.check()


def test_a_log_that_was_cut_is_an_error_and_not_a_silence(system: World) -> None:
    system.send(4_000)
    worker = system.start("a")
    until(system.done)
    assert ended(worker) == 0
    system.send(4_000)
    cut = [TopicPartition(system.prefix + SOURCE, 3, 1_500)]
    for future in system.admin.delete_records(cut).values():
        future.result()
    worker = system.start("a")
    assert exit_code(worker) == 1
    said = system.log("a").read_text()
    assert "counting is at 1000 in customer-events[3], but the log begins at 1500" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("begins", [1_500, 2_001])
def test_a_log_that_is_cut_before_a_worker_that_stands_still_is_an_error_too(system: World, begins: int) -> None:
    """The log is cut beyond the position of a paused worker. The worker stops instead of continuing at the new
    start."""
    worker = system.start("a")
    system.send(4_000)
    until(system.done)
    worker.send_signal(signal.SIGSTOP)
    system.send(4)  # answers the pending fetch
    system.send(4_000)
    for future in system.admin.delete_records([TopicPartition(system.prefix + SOURCE, 3, begins)]).values():
        future.result()
    worker.send_signal(signal.SIGCONT)
    assert exit_code(worker) == 1
    said = system.log("a").read_text()
    assert re.search(rf"counting is at 100[01] in customer-events\[3\], but the log begins at {begins}", said)
    assert system.counted()[3][0] <= 1_001


def test_lost_state_is_an_error_and_not_a_fresh_start(system: World) -> None:
    system.send(4_000)
    worker = system.start("a")
    until(system.done)
    until(lambda: system.group_offsets() == [1_000] * 4)
    assert ended(worker) == 0
    client = system.store._client
    for key in client.keys(f"{system.prefix}*"):
        client.delete(key)
    worker = system.start("a")
    assert exit_code(worker) == 1
    assert "state was lost" in system.log("a").read_text()
