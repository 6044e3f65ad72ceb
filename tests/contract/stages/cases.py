"""A case for every stage, with a log to read and a store to commit to. The stage contract suite runs all of them.

To add a stage, write a function for its case and add one line to CASES."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count
from typing import Any

from sinks.clickhouse.client import WRITING, connect
from sinks.clickhouse.columns import COLUMNS
from sinks.clickhouse.history import History
from sinks.clickhouse.migrate import migrate
from streams.avro.codec import Codec
from streams.judging.stage import Judging
from streams.learning.stage import Learning
from streams.log import Record, Stage, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.state.memory import MemoryScoringStore, MemoryStageStore
from tests.integration.servers.history_log import EPOCH, MadeUpLog, new_codec
from tests.replay.examples import KEY, ExampleLog, use_case
from tests.replay.test_scoring import contents as customers_and_headers
from tests.replay.world import random_log, scoring
from tests.unit.streams.monitoring.world import DAY, START, World

Logs = Mapping[TopicPartition, Sequence[Record]]


@dataclass(frozen=True, eq=False)
class Case:
    """A stage with everything the suite needs to test it."""

    logs: Logs
    """The logs that the stage reads."""
    codec: Codec
    new_store: Callable[[], Any]
    """Return an empty store."""
    write: str
    """The name of the store's write method."""
    stage: Callable[[Any], Stage]
    """Create the stage on a store, as a process does at startup."""
    contents: Callable[[Any], dict[Any, Any]]
    """Return everything a store holds."""
    untouched: Callable[[dict[Any, Any]], object] = field(default=lambda contents: None)
    """Return the part of the contents that unusable records do not change."""
    lose: Callable[[Any], None] = field(default=lambda store: store._blobs.clear())
    """Empty a store that has contents."""
    writes_ahead: bool = False
    """Whether the stage writes before its commit. The log alone determines the places and bytes of these writes."""


def scoring_case() -> Case:
    """Return a case with events, outcomes and ticks. A slice ends after three timers (see `small_slices`)."""
    log = random_log(3, steps=160)

    def customers(contents: dict[Any, Any]) -> object:
        return {partition: held[2:] for partition, held in contents.items()}

    return Case(
        log.logs,
        log.codec,
        MemoryScoringStore,
        "commit",
        partial(scoring, log),
        customers_and_headers,
        customers,
        lambda store: store.clear([place.partition for place in log.logs]),
    )


def learning_case() -> Case:
    """Return a case with the examples of one target, some of them repeated, and a snapshot every 40 examples."""
    log = ExampleLog(use_case(serve_every=40)).fill(250)

    def learner(store: MemoryModelStore) -> Learning:
        parts = (log.use_case, log.target, log.target.arms[0], log.deployment, store, log.codec, KEY)
        return Learning(*parts)

    def snapshots(store: MemoryModelStore) -> dict[Any, Any]:
        return dict(store.blobs)

    logs = {log.partition: log.records}
    return Case(
        logs,
        log.codec,
        MemoryModelStore,
        "put",
        learner,
        snapshots,
        lose=lambda store: store.blobs.clear(),
        writes_ahead=True,
    )


def judging_case() -> Case:
    """Return a case with the examples of one target and metrics every 100 examples."""
    log = ExampleLog(use_case(), seed=1).fill(450)

    def judging(store: MemoryStageStore) -> Judging:
        return Judging(log.use_case, log.deployment, store, log.codec, KEY)

    logs = {log.partition: log.records}
    return Case(logs, log.codec, MemoryStageStore, "commit", judging, partial(_blobs, "judging", logs))


def monitoring_case() -> Case:
    """Return a case with six days of predictions in two partitions, and the profiles that monitoring writes of them."""
    world, chance = World(), random.Random(0)
    for day in range(6):
        for partition in range(world.partitions):
            for number in range(12):
                vector = [float(chance.randrange(5)), chance.gauss(10, 2) + 3 * (day > 3)]
                world.predict(partition, START + day * DAY + number, vector, chance.random())
        world.progress(START + (day + 1) * DAY)
    world.run()

    def monitoring(store: MemoryStageStore) -> Stage:
        return world.stage(store)[0]

    contents = partial(_blobs, "monitoring", world.logs)
    return Case(world.logs, world.codec, MemoryStageStore, "commit", monitoring, contents)


def history_case() -> Case:
    """Return a case with the first records of every topic's first partition, and ClickHouse's engine in this
    process."""
    made = MadeUpLog(int(time.time() * 1000), events=60)
    logs = {place: records[:3] for place, records in made.logs.items() if place.partition == 0}

    def history(client: Any) -> History:
        return History(lambda: client, new_codec(), EPOCH, slice_records=5)

    def others(contents: dict[Any, Any]) -> object:
        return {table: rows for table, rows in contents.items() if table not in ("records_raw", "positions")}

    return Case(logs, new_codec(), _new_database, "insert", history, _tables, others, _drop)


CASES: dict[str, Callable[[], Case]] = {
    "scoring": cache(scoring_case),
    "learning": cache(learning_case),
    "judging": cache(judging_case),
    "monitoring": cache(monitoring_case),
    "history": cache(history_case),
}
_NUMBERS = count()


def _blobs(stage: str, logs: Logs, store: MemoryStageStore) -> dict[Any, Any]:
    return {place: store.read(stage, *place) for place in logs}


def _new_database() -> Any:
    client = connect(f"contract_{next(_NUMBERS)}", WRITING, interface="chdb")
    migrate(client, client.database)
    return client


def _drop(client: Any) -> None:
    client.command(f"DROP DATABASE {client.database}")


def _tables(client: Any) -> dict[Any, Any]:
    """Return what readers see of every table. Rows that were written twice are merged."""
    found = {table: f"SELECT * FROM {table} FINAL ORDER BY ALL" for table in COLUMNS}
    found["positions"] = "SELECT * EXCEPT written_at FROM positions ORDER BY ALL"
    return {table: client.raw_query(query, fmt="TSV") for table, query in found.items()}
