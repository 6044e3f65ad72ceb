"""A small setup for scoring: a use case, a seeded log with every kind of record, and a run without faults."""

import random
from dataclasses import dataclass, field
from typing import Any

from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import sign
from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.keys import Key, Keys
from streams.log import Output, Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.partitioner import partition_of
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    Count,
    EventWithin,
    ExplicitOutcome,
    LastValue,
    Linear,
    Logistic,
    PriorRate,
    Sum,
    Target,
    TimeSince,
    UseCase,
)

HOUR = 3_600_000
DAY = 24 * HOUR
KEY = Keys.of(Key.of("", b"k" * 32))
LATENESS = 6 * HOUR


def event_schema(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    common = [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "source", "type": "string", "default": ""},
    ]
    return {"type": "record", "name": name, "namespace": "small", "fields": [*common, *fields]}


EVENTS = {
    "Buy": event_schema("Buy", {"name": "cents", "type": "long"}),
    "Visit": event_schema("Visit", {"name": "seconds", "type": ["null", "double"], "default": None}),
    "Leave": event_schema("Leave"),
}

USE_CASE = UseCase(
    name="small",
    features=(
        Count("buys_3d", of="Buy", over="3d"),
        Sum("spend_3d", of="Buy", field="cents", over="3d"),
        Count("visits_6h", of="Visit", over="6h"),
        TimeSince("days_since_buy", of="Buy", unit="d"),
    ),
    targets=(
        Target(
            "silent",
            kind="binary",
            ask=Ask(on=("Buy",), every="2d", while_active="9d"),
            outcome=AbsenceOf("Buy", over="3d", settle="at_once"),
            arms=(Arm("logistic", Logistic(), role="champion"), Arm("prior", PriorRate(), role="naive")),
        ),
        Target(
            "leaves",
            kind="binary",
            ask=Ask(every="1d", until=("Leave",)),
            outcome=EventWithin("Leave", over="2d", settle="at_horizon"),
            arms=(Arm("logistic", Logistic(), role="champion"),),
            observe=0.5,
        ),
        Target(
            "spend",
            kind="regression",
            ask=Ask(on=("Visit",)),
            outcome=AmountOver("Buy", field="cents", over="4d", scale=0.01),
            features=("spend_3d", "buys_3d"),
            arms=(
                Arm("linear", Linear(), role="champion"),
                Arm("last", LastValue("spend_3d", scale=0.01), role="naive"),
            ),
        ),
        Target(
            "told",
            kind="binary",
            ask=Ask(on=("Visit",)),
            outcome=ExplicitOutcome(within="2d", default=0.0),
            arms=(Arm("logistic", Logistic(), role="champion"),),
            learn_corrections="4d",
        ),
    ),
    clock="external",
    allowed_lateness="6h",
    max_ahead="3650d",
    events=EVENTS,
)

SCHEMAS = load_schemas() | {f"small.{name}": schema for name, schema in EVENTS.items()}
PARTITIONS = 2


def deployment() -> Deployment:
    return deploy_of(USE_CASE, 7, PARTITIONS, {}, Fingerprint("", "", "", ""))


def codec() -> Codec:
    registry = MemoryRegistry()
    for name, schema in SCHEMAS.items():
        registry.id_of(name, schema)
    return Codec(registry, SCHEMAS)


@dataclass
class Log:
    """Partitions of customer-events under construction."""

    codec: Codec = field(default_factory=codec)
    records: dict[int, list[Record]] = field(default_factory=lambda: {p: [] for p in range(PARTITIONS)})
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def raw(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        self.records[partition].append(Record(len(self.records[partition]), 0, key, value))

    def control(self, name: str, record: dict[str, Any]) -> None:
        for partition in self.records:
            signed = sign(name, record, KEY, CUSTOMER_EVENTS, partition)
            self.raw(partition, None, self.codec.encode(name, signed))

    def tick(self, time: int, gap: bool = False) -> None:
        self.control("tidecast.Tick", {"time": time, "writer": "test", "signature": None, "gap": gap or None})

    def pause(self, paused: bool, number: int, automatic: bool = False) -> None:
        record = {"paused": paused, "number": number, "automatic": automatic, "reason": "", "writer": "test"}
        self.control("tidecast.Pause", record)

    def deploy(self) -> None:
        self.control("tidecast.Deployment", deployment().to_record())

    def say(self, name: str, **record: Any) -> None:
        customer = record["customer_id"]
        self.published.append((name, record))
        self.raw(partition_of(customer, PARTITIONS), customer.encode(), self.codec.encode(name, record))

    @property
    def logs(self) -> dict[TopicPartition, list[Record]]:
        return {TopicPartition(CUSTOMER_EVENTS, p): records for p, records in self.records.items()}


def random_log(seed: int, steps: int = 300, customers: int = 8, standing: float = 0.0) -> Log:
    """Return a random log of events, outcomes, invalid records and ticks. Some events are repeated, late or out of
    order. Some ticks are far apart.

    standing: share of the steps at which time is paused or goes on, or a tick passes over empty time."""
    r, other = random.Random(seed), random.Random(f"standing {seed}")
    log = Log()
    log.deploy()
    now = 0
    for n in range(steps):
        if other.random() < standing:
            now = _stand(log, other, n, now)
        now += r.choice((0, 1, HOUR, 3 * HOUR, 5 * HOUR))
        customer = f"c{r.randrange(customers)}"
        moment = max(0, now - r.choice((0, 0, 0, HOUR, 5 * HOUR, 9 * HOUR)))
        what = r.random()
        common = {"event_id": f"e{n}", "customer_id": customer, "occurred_at": moment}
        if what < 0.3:
            log.say("small.Buy", **common, cents=r.randrange(10_000))
        elif what < 0.6:
            log.say("small.Visit", **common, seconds=r.choice((None, r.random() * 60)))
        elif what < 0.63:
            log.say("small.Leave", **common)
        elif what < 0.75 and log.published:
            name, record = r.choice(log.published)
            log.say(name, **record)
        elif what < 0.8:
            log.say(
                "tidecast.Outcome",
                outcome_id=f"o{n}",
                customer_id=customer,
                target="told",
                occurred_at=now + r.choice((0, HOUR)),
                value=float(r.random() < 0.5),
            )
        elif what < 0.83:
            log.raw(r.randrange(PARTITIONS), customer.encode(), r.choice((None, b"", b"\0\0\0\0\2xyz", b"junk")))
        else:
            log.tick(now if r.random() < 0.95 else now + 6 * DAY)
    log.tick(now + 3 * DAY)
    log.tick(now + 40 * DAY)
    return log


def _stand(log: Log, r: random.Random, number: int, now: int) -> int:
    if r.random() < 0.7:
        log.pause(r.random() < 0.5, number + r.choice((-5, 1, 1, 1)), r.random() < 0.5)
        return now
    now += r.choice((HOUR, 5 * DAY))
    log.tick(now, gap=True)
    return now


def scoring(log: Log, store: MemoryScoringStore, cache: int = 1000, of: Deployment | None = None) -> Scoring:
    return Scoring(USE_CASE, of or deployment(), store, log.codec, MemoryModelStore(), KEY, cache)


def decoded(log: Log, outputs: list[Output], name: str) -> list[dict[str, Any]]:
    found = [log.codec.decode(output.value) for output in outputs]
    return [record for kind, record in found if kind == f"tidecast.{name}"]
