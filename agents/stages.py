"""The table of stages, one row each. Everything that runs, rebuilds, verifies or watches stages reads it.

`python -m agents.stages` prints it as JSON, with the fail points of each stage."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from schemas.topics import (
    CUSTOMER_EVENTS,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    FEATURE_PROFILES,
    LABELLED_EXAMPLES,
    LATE_EVENTS,
    MODEL_METRICS,
    PREDICTIONS,
)
from sinks.failpoints import POINTS
from streams.errors import SettingError
from streams.log import Emitter, Stage

if TYPE_CHECKING:
    from agents.wiring import Wiring

GROUP_PREFIX = "tidecast-"
"""The beginning of every stage's consumer group, after the prefix of the system."""


class Store(Enum):
    """Where a stage keeps its state and positions. It decides how `verify`, `rebuild` and `status` handle the stage."""

    CUSTOMERS = "customers in Redis"
    PARTITIONS = "one value per partition in Redis"
    SNAPSHOTS = "snapshots in the model store"
    TABLES = "rows in ClickHouse"

    @property
    def is_redis(self) -> bool:
        """Whether a stage needs Redis to start."""
        return self in (Store.CUSTOMERS, Store.PARTITIONS)

    @property
    def is_rebuilt(self) -> bool:
        """Whether `tidecast rebuild` restores the state. A worker fills empty tables again by itself."""
        return self is not Store.TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage.

    name: in commands, metrics and Redis keys.
    topics, outputs: topics that it reads, and topics that it writes.
    build: makes its members by consumer group. A stage has one member, but learning has one per arm.
    store: where it keeps its state. state, results: what it keeps and what it puts out, in words.
    process: stages of one process share a worker process. scaled: `--processes` says how many there are of it.
    transactional: TIDECAST_TRANSACTIONS applies to its outputs.
    writes_ticks: the owner of a partition writes the ticks of the wall clock to it."""

    name: str
    topics: tuple[str, ...]
    outputs: tuple[str, ...]
    build: "Callable[[Wiring], Mapping[str, Stage]]"
    store: Store
    state: str
    results: str
    process: str
    scaled: bool = False
    transactional: bool = False
    writes_ticks: bool = False

    @property
    def group(self) -> str:
        """The consumer group, or the beginning of the groups of its members."""
        return GROUP_PREFIX + self.name

    @property
    def fail_points(self) -> list[str]:
        """Return the names of the fail points that the stage reaches."""
        return [point.name for point in POINTS if point.is_reached_by(self.name, bool(self.outputs))]

    def emitter(self, wiring: "Wiring") -> Emitter:
        """Return a producer of the stage's outputs."""
        if self.transactional and wiring.settings.transactions:
            return wiring.transactional_emitter(self.group, self.name)
        return wiring.emitter()


def _scoring(wiring: "Wiring") -> Mapping[str, Stage]:
    from streams.scoring.stage import Scoring

    keys, cached = wiring.keys, wiring.settings.cache_customers
    parts = (wiring.use_case, wiring.deployment, wiring.scoring_store, wiring.codec, wiring.models, keys, cached)
    return {SCORING.group: Scoring(*parts)}


def _learning(wiring: "Wiring") -> Mapping[str, Stage]:
    from streams.learning.stage import Learning

    parts = (wiring.deployment, wiring.models, wiring.codec, wiring.keys)
    return {
        learner_group(target.name, arm.name): Learning(wiring.use_case, target, arm, *parts)
        for target in wiring.use_case.targets
        for arm in target.arms
    }


def _judging(wiring: "Wiring") -> Mapping[str, Stage]:
    from streams.judging.stage import Judging

    parts = (wiring.use_case, wiring.deployment, wiring.stage_store, wiring.codec, wiring.keys)
    return {JUDGING.group: Judging(*parts)}


def _monitoring(wiring: "Wiring") -> Mapping[str, Stage]:
    from streams.monitoring import Monitoring

    return {MONITORING.group: Monitoring(wiring.use_case, wiring.deployment, wiring.stage_store, wiring.codec)}


def _history(wiring: "Wiring") -> Mapping[str, Stage]:
    from sinks.clickhouse.client import WRITING, connect
    from sinks.clickhouse.history import History

    settings = wiring.settings

    def client() -> object:
        return connect(settings.clickhouse_database, WRITING, **settings.clickhouse())

    deployment = wiring.deployment
    return {HISTORY.group: History(client, wiring.codec, deployment.epoch, owns=deployment.owns)}


SCORING = StageRow(
    name="scoring",
    topics=(CUSTOMER_EVENTS,),
    outputs=(PREDICTIONS, LABELLED_EXAMPLES, LATE_EVENTS, DEAD_LETTERS),
    build=_scoring,
    store=Store.CUSTOMERS,
    state="customer states, open observations, timers, counters",
    results="predictions, examples, progress, late events, dead letters",
    process="scoring",
    scaled=True,
    transactional=True,
    writes_ticks=True,
)
LEARNING = StageRow(
    name="learning",
    topics=(LABELLED_EXAMPLES,),
    outputs=(CUSTOMER_EVENTS,),
    build=_learning,
    store=Store.SNAPSHOTS,
    state="model versions",
    results="served switches, and the snapshots they name",
    process="learning",
)
JUDGING = StageRow(
    name="judging",
    topics=(LABELLED_EXAMPLES,),
    outputs=(MODEL_METRICS, DRIFT_ALERTS),
    build=_judging,
    store=Store.PARTITIONS,
    state="metrics and detectors",
    results="model metrics and loss alerts",
    process="watching",
    transactional=True,
)
MONITORING = StageRow(
    name="monitoring",
    topics=(PREDICTIONS, FEATURE_PROFILES),
    outputs=(FEATURE_PROFILES, DRIFT_ALERTS),
    build=_monitoring,
    store=Store.PARTITIONS,
    state="profiles in the making",
    results="profiles and input alerts",
    process="watching",
    transactional=True,
)
HISTORY = StageRow(
    name="history",
    topics=(
        CUSTOMER_EVENTS,
        PREDICTIONS,
        LABELLED_EXAMPLES,
        MODEL_METRICS,
        DRIFT_ALERTS,
        FEATURE_PROFILES,
        LATE_EVENTS,
        DEAD_LETTERS,
    ),
    outputs=(),
    build=_history,
    store=Store.TABLES,
    state="rows",
    results="",
    process="history",
)

STAGES = {row.name: row for row in (SCORING, LEARNING, JUDGING, MONITORING, HISTORY)}
"""All stages by name, in the order of the flow. History is one of them: it reads every topic."""


def learner_group(target: str, arm: str) -> str:
    """Return the consumer group of an arm's learner, without the prefix of the system."""
    return f"{LEARNING.group}-{target}-{arm}"


def stage_row(name: str) -> StageRow:
    """Return the row of a stage. Raises SettingError, which lists the stages, for an unknown name."""
    if name not in STAGES:
        raise SettingError(f"There is no stage {name!r}; the stages are {', '.join(STAGES)}.")
    return STAGES[name]


def by_process(names: Iterable[str]) -> dict[str, list[StageRow]]:
    """Return the rows of these stages by the worker process that they share, in the order of the table."""
    chosen = {stage_row(name).name for name in names}
    found: dict[str, list[StageRow]] = {}
    for row in STAGES.values():
        if row.name in chosen:
            found.setdefault(row.process, []).append(row)
    return found


def as_json() -> list[dict[str, Any]]:
    """Return what external tools need to know of each stage."""
    names = ("name", "group", "process", "topics", "outputs", "fail_points")
    return [{name: getattr(row, name) for name in names} for row in STAGES.values()]


if __name__ == "__main__":
    print(json.dumps(as_json(), indent=1))
