"""A worker is red, with the cause, when nothing moves or its servers were changed under it. It may be idle."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from agents.settings import load_settings
from sinks.clickhouse.client import WRITING, connect
from sinks.redis.client import connect as connect_redis
from tests.integration.conftest import Stack, retail_deployed, tidecast_command
from tests.integration.runtime.counting.stage import SOURCE
from tests.integration.runtime.counting.world import World, world
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
STUCK = """
import asyncio, os, threading
from agents.runtime.slots import Slot
from agents.runtime.worker import Worker
from agents.settings import load_settings
settings = load_settings()

async def equip(worker):
    print("starting", flush=True)
    await worker.patiently(threading.Event().wait)

with Slot(settings.data / "run", "stuck") as slot:
    asyncio.run(Worker(settings, "stuck", slot, 0).run(equip))
"""


@pytest.fixture
def system(stack: Stack) -> Iterator[World]:
    with world(stack) as made:
        yield made


def lag(system: World, partition: int) -> float | None:
    """Return the lag of a partition that the worker shows; None when it shows none."""
    lines = system.health("a", "metrics")[1].splitlines()
    ours = [line for line in lines if line.startswith("tidecast_lag_records{") and f'"{partition}"' in line]
    return float(ours[0].split()[-1]) if ours else None


def stranger(system: World) -> Producer:
    """Return a producer of another program, with transactions."""
    made = Producer({**system.kafka, "transactional.id": f"{system.prefix}stranger"})
    made.init_transactions(PATIENCE_S)
    return made


def test_an_open_transaction_is_red_and_lag_and_its_end_is_green(system: World) -> None:
    system.start("a")
    until(lambda: system.ready("a") and lag(system, 2) == 0)
    dead = stranger(system)
    dead.begin_transaction()
    for _ in range(3):
        dead.produce(system.prefix + SOURCE, b"never", partition=2)
    dead.flush()
    until(lambda: lag(system, 2) == 3)
    said = until(lambda: "open transaction" in (text := system.health("a", "healthz")[1]) and text)
    place = f"--topic {system.prefix}{SOURCE} --partition 2 --start-offset 0"
    assert f"abort {place}" in said and "describe-producers" in said and "find-hanging" in said
    assert system.health("a", "livez")[0] == 200 and system.health("a")[0] == 503
    system.send_one(1, b"another partition")
    system.flush()
    until(system.done)
    stranger(system)  # its successor ends what it has left open
    until(lambda: system.health("a", "healthz")[0] == 200)
    until(lambda: lag(system, 2) == 0)


def test_an_idle_worker_notices_that_its_state_is_gone(system: World) -> None:
    worker = system.start("a")
    system.send(40)
    until(system.done)
    until(lambda: all(system.group_offsets()))
    with connect_redis(system.stack.redis) as client:
        client.delete(*client.keys(f"{system.prefix}*"))
    assert exit_code(worker) == 1
    assert "run `tidecast rebuild`" in system.log("a").read_text()


def test_an_idle_worker_notices_that_its_topic_is_gone(system: World) -> None:
    system.start("a")
    until(lambda: system.ready("a") and lag(system, 2) == 0)
    system.admin.delete_topics([system.prefix + SOURCE])[system.prefix + SOURCE].result()
    until(lambda: f"{system.prefix}{SOURCE}[0], or the topic no longer exists" in system.health("a", "healthz")[1])


def test_gauges_of_partitions_go_with_them(system: World) -> None:
    system.start("a")
    until(lambda: all(lag(system, partition) is not None for partition in range(4)))
    system.start("b")
    until(lambda: sum(lag(system, partition) is None for partition in range(4)) == 2)


def test_a_worker_that_is_told_to_stop_while_it_starts_does_not_wait(stack: Stack) -> None:
    """It would wait for ever for the thread that asks a server."""
    worker = subprocess.Popen(
        [sys.executable, "-c", STUCK], env=stack.env, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None and worker.stdout.readline() == b"starting\n"
    worker.send_signal(signal.SIGTERM)
    assert exit_code(worker) == 0


class Scorer:
    """A worker on retail."""

    def __init__(self, stack: Stack, *stages: str) -> None:
        self._folder = stack.folder / "run"
        self._kind = "-".join(stages)
        command = tidecast_command("worker", *stages, "--single", "--use-case", "retail")
        self.process = subprocess.Popen(command, env=stack.env, stderr=subprocess.PIPE)

    def health(self) -> str:
        """Return "200" when it is ready, else what /readyz says; "" while it does not answer."""
        try:
            address = (self._folder / f"{self._kind}.0.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/readyz", timeout=PATIENCE_S) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except (OSError, ValueError):
            return ""

    def end(self) -> None:
        """End it, if it has not ended."""
        self.process.terminate()
        exit_code(self.process)


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """Retail with topics and tables of its own."""
    name = f"health_{os.getpid()}"
    stack.env["TIDECAST_CLICKHOUSE_DATABASE"] = name
    with pytest.MonkeyPatch.context() as patch, retail_deployed(stack, "health"):
        patch.setenv("TIDECAST_CLICKHOUSE_DATABASE", name)
        yield name
    del stack.env["TIDECAST_CLICKHOUSE_DATABASE"]


def test_a_redis_that_may_drop_state_is_not_worked_with(stack: Stack, database: str) -> None:
    scorer = Scorer(stack, "scoring")
    with connect_redis(stack.redis) as client:
        try:
            until(lambda: scorer.health() == "200")
            client.config_set("maxmemory-policy", "allkeys-lru")
            until(lambda: "maxmemory-policy is allkeys-lru" in scorer.health())
            client.config_set("maxmemory-policy", "noeviction")
            until(lambda: scorer.health() == "200")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            scorer.end()


def test_tables_that_are_dropped_are_made_and_filled_again(stack: Stack, database: str) -> None:
    worker = Scorer(stack, "history")
    settings = load_settings()
    client = connect("default", WRITING, **settings.clickhouse())
    count = f"SELECT count() FROM {database}.controls_raw"
    there = f"SELECT count() FROM system.tables WHERE database = '{database}' AND name = 'controls_raw'"

    def rows() -> int:
        return int(client.command(count)) if client.command(there) else 0

    try:
        first = until(rows)
        until(lambda: worker.health() == "200")
        client.command(f"DROP DATABASE {database}")
        assert until(rows) <= first
        until(lambda: rows() == first)
    finally:
        worker.end()
        client.command(f"DROP DATABASE IF EXISTS {database}")
