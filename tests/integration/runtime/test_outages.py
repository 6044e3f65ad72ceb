"""Server outages while a stage runs. The stage waits and reports it. No record is lost or counted twice."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agents.stack.place import read_place
from agents.stack.supervise import up
from tests.integration.conftest import Stack
from tests.integration.runtime.counting.gate import Gate
from tests.integration.runtime.counting.world import World, ended, world
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration


@pytest.fixture
def system(stack: Stack) -> Iterator[World]:
    with world(stack) as made:
        try:
            yield made
        finally:
            up(stack.folder, print)


def kill(stack: Stack, part: str) -> None:
    """Kill a server, as a crash does."""
    process = psutil.Process(read_place(stack.folder).processes[part].pid)
    process.kill()
    process.wait(PATIENCE_S)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def kill_under_load(system: World, stack: Stack, gate: Gate, part: str) -> "subprocess.Popen[bytes]":
    """Kill a server while a worker has a backlog. Return the worker."""
    system.send(12_000)
    gate.allow(11_000)
    worker = system.start("a", 0.02, 100, **gate.environment)
    until(lambda: system.total() > 2_000)
    kill(stack, part)
    gate.open()
    until(lambda: system.health("a", "healthz")[0] == 503)
    return worker


@pytest.mark.parametrize("part", ["kafka", "redis"])
def test_a_server_is_killed_and_comes_back(system: World, stack: Stack, gate: Gate, part: str) -> None:
    worker = kill_under_load(system, stack, gate, part)
    assert worker.poll() is None
    up(stack.folder, print)
    until(lambda: system.health("a", "healthz")[0] == 200)
    system.send(2_000)
    until(system.done)
    system.check()
    assert ended(worker) == 0


@pytest.mark.parametrize("part", ["kafka", "redis"])
def test_a_stop_does_not_wait_for_a_server_that_is_away(system: World, stack: Stack, gate: Gate, part: str) -> None:
    worker = kill_under_load(system, stack, gate, part)
    assert ended(worker) == 0
    up(stack.folder, print)
    system.start("a")
    until(system.done)
    system.check()


def test_a_worker_that_is_started_without_kafka_waits_for_it(system: World, stack: Stack) -> None:
    system.send(400)
    kill(stack, "kafka")
    worker = system.start("a")
    until(lambda: "Kafka does not answer" in system.health("a", "healthz")[1])
    up(stack.folder, print)
    until(system.done)
    system.check()
    assert ended(worker) == 0


def test_an_idle_worker_notices_that_kafka_is_away(system: World, stack: Stack) -> None:
    system.start("a")
    until(lambda: system.ready("a"))
    kill(stack, "kafka")
    until(lambda: "Kafka does not answer" in system.health("a", "healthz")[1])
    up(stack.folder, print)
    until(lambda: system.ready("a"))
    system.send(400)
    until(system.done)
    system.check()


def test_a_slow_stage_does_not_take_the_backlog_into_memory(system: World, gate: Gate) -> None:
    """A worker holds at most the current batch and the next one in memory, even when its stage is slow."""
    size = 2_000
    system.send(30_000, size)  # 60 MB
    gate.allow(4_000)
    system.start("a", 0, 100, **gate.environment)
    until(gate.waiting)
    for _ in range(100):  # the event loop keeps running
        assert system.ready("a")
    gate.open()
    until(system.done)
    done, ahead = 0, []
    for batch in gate.batches():
        ahead.append(batch.fetched_bytes - done * size)
        done += batch.records
    assert max(ahead) < 16 << 20
