"""Bytes per event that the servers keep after all stages have processed a backlog."""

import json
from pathlib import Path

import redis

from load.bench.figures import Figures
from load.bench.job import TARGETS, EncodedRecord
from load.bench.system import BenchSystem

TABLES = (
    "SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts "
    "WHERE active AND database = '{}' GROUP BY table HAVING rows > 0 ORDER BY bytes DESC"
)


def measure(system: BenchSystem, backlog: list[EncodedRecord], figures: Figures) -> None:
    """Measure the bytes in Kafka's log, Redis' memory and ClickHouse's parts, per event of the backlog."""
    events = sum(record.partition is None for record in backlog)
    customers = len({record.key for record in backlog if record.key})
    client = redis.Redis.from_url(system.stack["redis"])
    before = int(client.info("memory")["used_memory"])
    system.publisher.all(backlog)
    with system.reader() as reader, system.workers() as workers:
        reader.wait_for(TARGETS * events)
        workers.drained("history")
    held = int(client.info("memory")["used_memory"]) - before
    figures.add("Redis per customer", "bytes", held / customers)
    for topic, size in sorted(_logs(system).items()):
        figures.add(f"Kafka, {topic}, per event", "bytes", size / events)
    for line in system.run("sql", TABLES.format(system.database), "--format", "json").splitlines():
        row = json.loads(line)
        figures.add(f"ClickHouse, {row['table']}, per event", "bytes", int(row["bytes"]) / events)
        figures.add(f"ClickHouse, {row['table']}, per row", "bytes", int(row["bytes"]) / int(row["rows"]))


def _logs(system: BenchSystem) -> dict[str, int]:
    """Return topic → bytes of its segments, one replica."""
    found: dict[str, int] = {}
    for file in Path(system.data).rglob(f"{system.prefix}*/*.log"):
        topic = file.parent.name.removeprefix(system.prefix).rpartition("-")[0]
        found[topic] = found.get(topic, 0) + file.stat().st_size
    return found
