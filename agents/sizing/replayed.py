"""What scoring costs per event and feature: replays in memory that differ in one thing at a time.

One logistic target or two are asked on every event of four types, hourly and daily tiles, as in the reference job;
nothing is observed, time does not pass. Without servers: producing and Redis have constants of their own."""

import gc
from random import Random
from time import thread_time

from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS
from streams.codec import Codec, MemoryRegistry
from streams.control import sign
from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.log import Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring import Scoring
from streams.state.memory import MemoryScoringStore
from streams.usecases import AbsenceOf, Arm, Ask, Count, Logistic, Sum, Target, UseCase

EVENTS = 20_000
CUSTOMERS = 2_000
ROUNDS = 5
START = 1_700_000_000_000
KEY = b"k" * 32
TYPES = ("call", "sms", "data", "topup")
FEW, MANY = 8, 24
"""Features."""
SCHEMA = {
    "type": "record",
    "name": "Activity",
    "namespace": "sized",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "source", "type": "string", "default": ""},
        {"name": "type", "type": "string"},
        {"name": "amount", "type": "double"},
    ],
}


def scoring_constants() -> dict[str, float]:
    """Microseconds by constant."""
    jobs = ((FEW, 1), (MANY, 1), (MANY, 2))
    rounds = [[_cost(*job) for job in jobs] for _ in range(ROUNDS)]  # in turn: a machine's speed drifts
    few, many, two = map(min, zip(*rounds, strict=True))  # what disturbs only adds
    feature, question = (many - few) / (MANY - FEW), two - many
    return {
        "scoring_cpu_us_per_feature": feature,
        "scoring_cpu_us_per_event": many - MANY * feature - question,
    }


def _use_case(features: int, targets: int) -> UseCase:
    declared: list[Count | Sum] = []
    for over in ("24h", "7d", "30d"):
        for kind in TYPES:
            declared.append(Count(f"{kind}_count_{over}", of="Activity", over=over, where={"type": kind}))
            declared.append(Sum(f"{kind}_sum_{over}", of="Activity", field="amount", over=over, where={"type": kind}))
    arms = (Arm("logistic", Logistic(), role="champion"),)
    asked = [
        Target(f"t{n}", ask=Ask(on=("Activity",)), outcome=AbsenceOf("Activity", over="1d"), arms=arms, observe=0.0)
        for n in range(targets)
    ]
    return UseCase(
        "sized",
        features=tuple(declared[:features]),
        targets=tuple(asked),
        clock="external",
        events={"Activity": SCHEMA},
    )


def _cost(features: int, targets: int) -> float:
    """Microseconds of CPU per event."""
    case = _use_case(features, targets)
    schemas = load_schemas() | {case.event_full_name(name): schema for name, schema in case.events.items()}
    codec = Codec(MemoryRegistry(), schemas)
    deployment = deploy_of(case, 1, 1, {}, Fingerprint("", "", "", ""))
    records = _log(codec, deployment)
    scoring = Scoring(case, deployment, MemoryScoringStore(), codec, MemoryModelStore(), KEY)
    place = TopicPartition(CUSTOMER_EVENTS, 0)
    half = len(records) // 2
    for _ in replay(scoring, {place: records[:half]}):
        pass
    gc.collect()
    gc.disable()
    began = thread_time()
    for _ in replay(scoring, {place: records}):
        pass
    took = thread_time() - began
    gc.enable()
    return 1e6 * took / (len(records) - half)


def _log(codec: Codec, deployment: Deployment) -> list[Record]:
    random = Random(1)
    signed = sign("tidecast.Deployment", deployment.to_record(), KEY, CUSTOMER_EVENTS, 0)
    records = [Record(0, START, None, codec.encode("tidecast.Deployment", signed))]
    for number in range(EVENTS):
        customer, moment = f"customer-{random.randrange(CUSTOMERS):08d}", START + number * 60_000
        event = {"event_id": f"event-{number:010d}", "customer_id": customer, "occurred_at": moment, "source": ""}
        event |= {"type": random.choice(TYPES), "amount": random.random()}
        records.append(Record(number + 1, moment, customer.encode(), codec.encode("sized.Activity", event)))
    return records
