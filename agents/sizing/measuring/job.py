"""A small job in memory that measures the cost of a record without servers, by changing one thing at a time.

As in the reference job, logistic targets are asked on every event of four types, with hourly and daily tiles. It has
one partition."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from time import thread_time

from schemas.catalog import load_schemas
from schemas.records import DEPLOYMENT, TICK
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import ControlRecord, sign
from streams.deployment import Fingerprint, deploy_of
from streams.keys import Key, Keys
from streams.learning.stage import Learning
from streams.log import Record, Stage, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.state.store import ScoringStore
from streams.usecases import AbsenceOf, Arm, Ask, Count, Logistic, PriorRate, Sum, Target, UseCase

START = 1_700_000_000_000
MINUTE_MS = 60_000
TICK_EVERY = 360
"""Events between two ticks, where time passes. Events are a minute apart."""
KEY = Keys.of(Key.of("", b"k" * 32))
TYPES = ("call", "sms", "data", "topup")
FEW, MANY = 8, 24
"""Number of features."""
ARMS = (
    Arm("logistic", Logistic(), role="champion"),
    Arm("prior_rate", PriorRate(), role="naive"),
    Arm("second", Logistic(), role="shadow"),
    Arm("third", Logistic(), role="shadow"),
)
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
PLACE = TopicPartition(CUSTOMER_EVENTS, 0)
EXAMPLES = TopicPartition(LABELLED_EXAMPLES, 0)
"""Number of arms of the first target."""
ASKED = TopicPartition(PREDICTIONS, 0)


@dataclass(frozen=True, slots=True)
class Job:
    """The parameters that differ. observe: share of questions that become observations; every: an added schedule."""

    features: int = MANY
    targets: int = 1
    arms: int = 1
    observe: float = 0.0
    serve_every: int = 10**9
    every: str | None = None
    customers: int = 2_000
    events: int = 20_000

    def use_case(self) -> UseCase:
        """Return the use case that the job declares."""
        declared: list[Count | Sum] = []
        for over in ("24h", "7d", "30d"):
            for kind in TYPES:
                where = {"type": kind}
                declared.append(Count(f"{kind}_count_{over}", of="Activity", over=over, where=where))
                declared.append(Sum(f"{kind}_sum_{over}", of="Activity", field="amount", over=over, where=where))
        ask, outcome, arms = (
            Ask(on=("Activity",), every=self.every),
            AbsenceOf("Activity", over="1d", settle="at_once"),
            ARMS[: self.arms],
        )
        asked = [
            Target(f"t{n}", ask=ask, outcome=outcome, arms=arms, observe=self.observe, serve_every=self.serve_every)
            for n in range(self.targets)
        ]
        return UseCase(
            "sized",
            features=tuple(declared[: self.features]),
            targets=tuple(asked),
            clock="external",
            events={"Activity": SCHEMA},
        )


class JobReplay:
    """A job's use case, its log, and the stages that process it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.case = job.use_case()
        schemas = load_schemas() | {self.case.event_full_name(name): at for name, at in self.case.events.items()}
        self.codec = Codec(MemoryRegistry(), schemas)
        self.deployment = deploy_of(self.case, 1, 1, {}, Fingerprint("", "", "", ""))
        self.models = MemoryModelStore()

    def scoring(self, store: ScoringStore | None = None, kept: int = 100_000) -> Scoring:
        """Return a scorer, on a store in memory unless another is given. `kept`: customers in its cache."""
        return Scoring(self.case, self.deployment, store or MemoryScoringStore(), self.codec, self.models, KEY, kept)

    def log(self, ticks: bool = False, switches: Sequence[bytes] = ()) -> list[Record]:
        """Return customer-events: the deployment, switches, then events a minute apart, and ticks if asked for."""
        random = Random(1)
        heads = [self.deployed(CUSTOMER_EVENTS), *switches]
        values: list[tuple[int, bytes | None, bytes]] = [(START, None, head) for head in heads]
        for number in range(self.job.events):
            moment = START + number * MINUTE_MS
            if ticks and number % TICK_EVERY == 0:
                values.append((moment, None, self.tick(moment)))
            customer = f"customer-{random.randrange(self.job.customers):08d}"
            event = {"event_id": f"event-{number:010d}", "customer_id": customer, "occurred_at": moment, "source": ""}
            event |= {"type": random.choice(TYPES), "amount": random.random()}
            values.append((moment, customer.encode(), self.codec.encode("sized.Activity", event)))
        return [Record(offset, *value) for offset, value in enumerate(values)]

    def deployed(self, topic: str, partition: int = 0) -> bytes:
        """Return the deployment record of a partition."""
        return self.control(DEPLOYMENT, self.deployment.to_record(), topic, partition)

    def tick(self, moment: int) -> bytes:
        """Return a tick at `moment`, ms."""
        return self.control(TICK, {"time": moment, "writer": "sized", "signature": None, "gap": None})

    def control(self, name: str, record: ControlRecord, topic: str = CUSTOMER_EVENTS, partition: int = 0) -> bytes:
        """Return a control record, signed for its place."""
        return self.codec.encode(name, sign(name, record, KEY, topic, partition))

    def learner(self, arm: int) -> Learning:
        """Return the learner of the first target's arm of that index."""
        parts = (self.case, self.case.targets[0], ARMS[arm], self.deployment, self.models, self.codec, KEY)
        return Learning(*parts)

    def switches(self) -> list[bytes]:
        """Return the last switches of the first target's arms after they have learnt the log's examples."""
        examples = self.outputs()[EXAMPLES]
        found = []
        for arm in range(self.job.arms):
            (*_, last) = (output for outputs in replay(self.learner(arm), {EXAMPLES: examples}) for output in outputs)
            found.append(last.value)
        return found

    def outputs(self, switches: Sequence[bytes] = ()) -> dict[TopicPartition, list[Record]]:
        """Return scoring's outputs by partition; a target's examples follow the deployment."""
        found: dict[TopicPartition, list[Record]] = {}
        for partition in self.deployment.target_partitions.values():
            head = Record(0, START, None, self.deployed(LABELLED_EXAMPLES, partition))
            found[TopicPartition(LABELLED_EXAMPLES, partition)] = [head]
        for outputs in replay(self.scoring(), {PLACE: self.log(True, switches)}):
            for output in outputs:
                records = found.setdefault(TopicPartition(output.topic, output.partition), [])
                records.append(Record(len(records), START, output.key, output.value))
        return found


def cpu_us_per_record(stage: Stage, place: TopicPartition, records: Sequence[Record]) -> float:
    """Return the thread's CPU per record in microseconds, over the second half; the first half warms up."""
    half = len(records) // 2
    _drain(replay(stage, {place: records[:half]}))
    gc.collect()
    gc.disable()
    began = thread_time()
    _drain(replay(stage, {place: records}))
    took = thread_time() - began
    gc.enable()
    return 1e6 * took / (len(records) - half)


def _drain(outputs: Iterator[object]) -> None:
    for _ in outputs:
        pass
