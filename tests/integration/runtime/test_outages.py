"""Servers that go away under a working stage: it waits and says so, and nothing is lost or counted twice."""

from collections.abc import Iterator

import psutil
import pytest

from agents.stack.place import read_place
from agents.stack.supervise import up
from tests.integration.conftest import Stack
from tests.integration.runtime.counting.world import World, ended, until, world

pytestmark = pytest.mark.integration
MB = 1 << 20


@pytest.fixture
def system(stack: Stack) -> Iterator[World]:
    with world(stack) as made:
        try:
            yield made
        finally:
            up(stack.folder, print)


def kill(stack: Stack, part: str) -> None:
    """End a server as a crash would."""
    process = psutil.Process(read_place(stack.folder).processes[part].pid)
    process.kill()
    process.wait(10)


@pytest.mark.parametrize("part", ["kafka", "redis"])
def test_a_server_is_killed_and_comes_back(system: World, stack: Stack, part: str) -> None:
    system.send(12_000)
    worker = system.start("a", 0.02, 100)
    until(lambda: system.total() > 2_000)
    kill(stack, part)
    until(lambda: system.health("a", "healthz")[0] == 503)
    assert worker.poll() is None
    up(stack.folder, print)
    until(lambda: system.health("a", "healthz")[0] == 200)
    system.send(2_000)
    until(system.done)
    system.check()
    assert ended(worker) == 0


@pytest.mark.parametrize("part", ["kafka", "redis"])
def test_a_stop_does_not_wait_for_a_server_that_is_away(system: World, stack: Stack, part: str) -> None:
    system.send(12_000)
    worker = system.start("a", 0.02, 100)
    until(lambda: system.total() > 2_000)
    kill(stack, part)
    until(lambda: system.health("a", "healthz")[0] == 503)
    assert ended(worker, seconds=19) == 0  # the supervisor's patience is 20 s
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


def test_a_slow_stage_does_not_take_the_backlog_into_memory(system: World) -> None:
    worker = system.start("a", 0.1, 100)
    until(lambda: system.ready("a"))
    process = psutil.Process(worker.pid)
    before = process.memory_info().rss
    system.send(120_000, size=2_000)  # 240 MB
    peaks = []

    def some_done() -> bool:
        peaks.append(process.memory_info().rss - before)
        return system.total() > 4_000

    until(some_done)
    assert system.total() < 60_000
    assert max(peaks) < 100 * MB
    assert system.health("a", "healthz")[0] == 200
