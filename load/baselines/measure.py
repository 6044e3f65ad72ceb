"""Measures one system on the reference job: one worker process drains a backlog."""

import json
import platform
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import psutil
import redis

from load.baselines.checking import check
from load.baselines.job import EVENT_SCHEMA, PREDICTION_SCHEMA, TARGETS
from load.baselines.publishing import create_topics, delete_topics, publish_backlog, register
from load.baselines.reader import BaselineReader
from load.baselines.run_settings import RunSettings
from load.wire import stack_addresses

SILENCE_S = 120.0
"""Seconds without a prediction after which a run is given up."""
LIBRARIES = {
    "bare": ("river", "fastavro"),
    "faust": ("river", "fastavro", "faust-streaming", "aiokafka", "msgpack"),
    "confluent": ("river", "fastavro", "confluent-kafka", "redis", "hiredis"),
}


@dataclass(frozen=True, slots=True)
class BaselineFigures:
    """The figures of a run.

    drain: events per second from the first to the last prediction, by Kafka's timestamps. cpu: of the worker process
    in that time. first_prediction: from the start of the process until it was read; None for `bare`."""

    system: str
    events: int
    drain_events_per_s: float
    cpu_us_per_event: float
    first_prediction_s: float | None
    library_versions: dict[str, str] = field(default_factory=dict)


def measure(kind: str, events: int, partitions: int = 4, prefix: str = "") -> BaselineFigures:
    """Measure "bare", "faust" or "confluent" on the running local stack; `bare` needs none.

    Removes its topics and keys afterwards. Two subjects in the registry and the consumer groups stay."""
    prefix = prefix or f"baseline-{kind}-{secrets.token_hex(3)}-"
    if kind == "bare":
        return _bare(RunSettings("", "", prefix, 1, events))
    stack = stack_addresses()
    settings = RunSettings(stack["kafka"], stack["redis"], prefix, partitions, events)
    create_topics(settings)
    try:
        event_id = register(stack["registry"], settings.events_topic, EVENT_SCHEMA)
        prediction_id = register(stack["registry"], settings.predictions_topic, PREDICTION_SCHEMA)
        settings = RunSettings(stack["kafka"], stack["redis"], prefix, partitions, events, prediction_id)
        publish_backlog(settings, event_id)
        return _drain(kind, settings)
    finally:
        delete_topics(settings)
        _forget_customers(settings)


def _bare(settings: RunSettings) -> BaselineFigures:
    done = subprocess.run(_command("bare", settings), check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    if found["predictions"] != len(TARGETS) * settings.events:
        raise ValueError(f"{found['predictions']} predictions for {settings.events} events")
    return _figures("bare", settings.events, found["seconds"], found["cpu_s"], None)


def _drain(kind: str, settings: RunSettings) -> BaselineFigures:
    reader = BaselineReader(settings)
    reader.start()
    try:
        began = time.perf_counter()
        with _worker(kind, settings) as process:
            _wait_for(1, reader, process)
            first, cpu = time.perf_counter() - began, _cpu(process)
            _wait_for(len(TARGETS) * settings.events, reader, process)
            cpu = _cpu(process) - cpu
    finally:
        reader.end()
    check(reader.values, settings.events)
    return _figures(kind, settings.events, (reader.last_ms - reader.first_ms) / 1000, cpu, first)


def _figures(kind: str, events: int, seconds: float, cpu: float, first: float | None) -> BaselineFigures:
    return BaselineFigures(
        system=kind,
        events=events,
        drain_events_per_s=round(events / max(seconds, 0.001)),
        cpu_us_per_event=round(1e6 * cpu / events, 1),
        first_prediction_s=None if first is None else round(first, 2),
        library_versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES[kind]}},
    )


def _command(kind: str, settings: RunSettings) -> list[str]:
    return [sys.executable, "-m", "load.baselines.worker", kind, settings.to_json()]


@contextmanager
def _worker(kind: str, settings: RunSettings) -> Iterator[psutil.Popen]:
    """Start the system's process and end it afterwards. Its output goes to stderr."""
    process = psutil.Popen(_command(kind, settings), stdout=sys.stderr)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(30)


def _cpu(process: psutil.Popen) -> float:
    times: Any = process.cpu_times()
    return float(times.user + times.system)


def _wait_for(count: int, reader: BaselineReader, process: psutil.Popen) -> None:
    """Wait until `count` predictions were read."""
    seen, moved = 0, time.monotonic()
    while (now := len(reader.values)) < count:
        if now > seen:
            seen, moved = now, time.monotonic()
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode} after {now} of {count} predictions")
        if time.monotonic() > moved + SILENCE_S:
            raise TimeoutError(f"{now} of {count} predictions, and none for {SILENCE_S:.0f} s")
        time.sleep(0.02)


def _forget_customers(settings: RunSettings) -> None:
    client = redis.Redis.from_url(settings.redis)
    keys: list[bytes] = []
    for key in client.scan_iter(f"{settings.prefix}*", count=5000):
        keys.append(key)
        if len(keys) == 5000:
            client.unlink(*keys)
            keys.clear()
    if keys:
        client.unlink(*keys)
