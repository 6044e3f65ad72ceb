"""Measures the cost of history's rows: the small job's records by kind, in a database of its own."""

from collections.abc import Mapping
from functools import partial
from time import process_time
from typing import Any
from uuid import uuid4

import psutil

from agents.settings import Settings
from agents.sizing.measuring.job import ASKED, EXAMPLES, MANY, PLACE, Job, JobReplay
from sinks.clickhouse.client import WRITING, connect
from sinks.clickhouse.columns import view_of
from sinks.clickhouse.history import History
from sinks.clickhouse.migrate import migrate
from streams.log import Record, TopicPartition
from streams.replay import replay

JOB = Job(observe=1.0, arms=4, serve_every=500, events=60_000, customers=6_000)
BATCH = 20_000
TABLES = {"event": "events_by_kind_raw", "prediction": "predictions_raw", "example": "labelled_examples_raw"}
ROWS = {"event": 2, "prediction": 1, "example": 1}
"""Rows per record: an event has one in records_raw as well."""
OF_ANSWERS = ("arms", "versions", "answers", "fallbacks")
WIDE = "min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0"
"""Setting that gives each column a file of its own. Otherwise ClickHouse does not report the sizes of columns."""
SIZES = (
    "SELECT column, sum(column_data_compressed_bytes) FROM system.parts_columns "
    "WHERE active AND database = {database:String} AND table = {table:String} GROUP BY column"
)


def clickhouse_constants(settings: Settings, pid: int) -> dict[str, float]:
    """Return microseconds and bytes by constant. `pid`: of the server."""
    database = f"sizing_{uuid4().hex[:8]}"
    connected = partial(connect, database, WRITING, **settings.clickhouse())
    client, replayed = connected(), JobReplay(JOB)
    found: dict[str, float] = {}
    try:
        migrate(client, database)
        for table in TABLES.values():
            client.command(f"ALTER TABLE {database}.{table} MODIFY SETTING {WIDE}")
        rows, began = 0, _cpu_s(pid)
        for kind, (place, records) in _records(replayed).items():
            found[f"history_cpu_us_per_{kind}"] = _cost(History(connected, replayed.codec, 1), place, records)
            rows += ROWS[kind] * len(records)
        for table in (*TABLES.values(), "records_raw"):
            client.command(f"OPTIMIZE TABLE {database}.{table} FINAL")
        found["clickhouse_cpu_us_per_row"] = 1e6 * (_cpu_s(pid) - began) / rows
        return found | _bytes(client, database)
    finally:
        client.command(f"DROP DATABASE IF EXISTS {database}")


def _records(replayed: JobReplay) -> dict[str, tuple[TopicPartition, list[Record]]]:
    """Return records with answers of trained models: those of untrained ones are all equal, and compress to nothing."""
    made = replayed.outputs(replayed.switches())
    return {
        "event": (PLACE, replayed.log()),
        "prediction": (ASKED, made[ASKED]),
        "example": (EXAMPLES, made[EXAMPLES]),
    }


def _cost(history: History, place: TopicPartition, records: list[Record]) -> float:
    """Return the microseconds of this process's CPU per record; the client compresses in threads of its own."""
    history.assign([place])
    began = process_time()
    for _ in replay(history, {place: records}, BATCH):
        pass
    return 1e6 * (process_time() - began) / len(records)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _bytes(client: Any, database: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, table in TABLES.items():
        if kind == "event":
            continue
        sizes, rows = _columns(client, database, table)
        answers = sum(sizes.pop(column) for column in OF_ANSWERS)
        vector = sizes.pop("vector")
        found[f"clickhouse_bytes_per_row_{view_of(table)}"] = sum(sizes.values()) / rows
        if kind == "prediction":
            found["clickhouse_bytes_per_answer"] = answers / rows / JOB.arms
            found["clickhouse_bytes_per_feature"] = vector / rows / MANY
    return found


def _columns(client: Any, database: str, table: str) -> tuple[dict[str, float], int]:
    """Return the compressed bytes by column, and the number of rows."""
    asked: Mapping[str, str] = {"database": database, "table": table}
    sizes = {column: float(size) for column, size in client.query(SIZES, parameters=asked).result_rows}
    return sizes, int(client.query(f"SELECT count() FROM {database}.{table}").result_rows[0][0])
