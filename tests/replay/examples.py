"""A synthetic log of labelled examples of one target, as scoring writes it, and runs with crashes."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import exp, nan
from typing import Any

from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import sign
from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.keys import Key, Keys
from streams.log import Output, Record, Stage, TopicPartition
from streams.usecases import (
    AdaptiveForest,
    Arm,
    Ask,
    Count,
    EventWithin,
    HoeffdingTree,
    Linear,
    Logistic,
    PriorRate,
    Target,
    UseCase,
)

KEY = Keys.of(Key.of("", b"k" * 32))
NAMES = tuple(f"f{i}" for i in range(5))
PARTITIONS = 3

BINARY_ARMS = (
    Arm("logistic", Logistic(l2=0.001), role="champion"),
    Arm("tree", HoeffdingTree(), role="challenger"),
    Arm("forest", AdaptiveForest(trees=2), role="shadow"),
    Arm("prior", PriorRate(), role="naive"),
    Arm("recency", Logistic(features=("f0",)), role="naive"),
)
REGRESSION_ARMS = (
    Arm("linear", Linear(), role="champion"),
    Arm("tree", HoeffdingTree(), role="challenger"),
    Arm("prior", PriorRate(), role="naive"),
)


def use_case(kind: str = "binary", serve_every: int = 100, arms: tuple[Arm, ...] | None = None) -> UseCase:
    arms = arms or (BINARY_ARMS if kind == "binary" else REGRESSION_ARMS)
    target = Target(
        "leaves",
        kind=kind,  # type: ignore[arg-type]
        ask=Ask(on=("Buy",)),
        outcome=EventWithin("Leave", over="2d", settle="at_once"),
        arms=arms,
        serve_every=serve_every,
    )
    return UseCase(
        name="small",
        features=tuple(Count(name, of="Buy", over=f"{i + 1}d") for i, name in enumerate(NAMES)),
        targets=(target,),
    )


@dataclass
class ExampleLog:
    """A builder of the labelled-examples log of one target. `records` is the partition."""

    use_case: UseCase
    seed: int = 0
    records: list[Record] = field(default_factory=list)
    former: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.codec = Codec(MemoryRegistry(), load_schemas())
        fingerprint = Fingerprint("0.26.1", "0", "3.11", "x")
        self.deployment = deploy_of(self.use_case, 7, PARTITIONS, {}, fingerprint, former=self.former)
        self.target = self.use_case.targets[0]
        self.partition = TopicPartition(LABELLED_EXAMPLES, self.deployment.target_partitions[self.target.name])
        self.rng = random.Random(self.seed)
        self.offsets = dict.fromkeys(range(PARTITIONS), 0)
        self.previous: dict[int, str] = {}
        self.settled = dict.fromkeys(range(PARTITIONS), 0)
        self.deploy(self.deployment)

    def append(self, name: str, record: dict[str, Any], key: bytes | None = None) -> None:
        self.raw(self.codec.encode(name, record), key)

    def raw(self, value: bytes | None, key: bytes | None = None) -> None:
        self.records.append(Record(len(self.records), 0, key, value))

    def deploy(self, deployment: Deployment) -> None:
        name, place = "tidecast.Deployment", self.partition
        self.append(name, sign(name, deployment.to_record(), KEY, place.topic, place.partition))

    def source(self, partition: int) -> dict[str, Any]:
        self.offsets[partition] += self.rng.randint(1, 3)
        offset = self.offsets[partition]
        return {
            "topic": CUSTOMER_EVENTS,
            "epoch": 7,
            "partition": partition,
            "offset": offset,
            "ordinal": self.rng.randint(0, 2),
        }

    def vector(self) -> list[float]:
        return [nan if self.rng.random() < 0.1 else self.rng.gauss(0, 1) for _ in NAMES]

    def example(
        self,
        vector: list[float] | None = None,
        label: float | None = None,
        answers: dict[str, float] | None = None,
        version: int = -1,
        **changes: Any,
    ) -> dict[str, Any]:
        partition = self.rng.randrange(PARTITIONS)
        source = self.source(partition)
        vector = self.vector() if vector is None else vector
        score = sum(x for x in vector[:2] if x == x)
        binary = self.target.kind == "binary"
        if label is None:
            chance = 1 / (1 + exp(-2 * score))
            label = float(self.rng.random() < chance) if binary else score + self.rng.gauss(0, 0.5)
        given = answers or {arm.name: self.rng.random() for arm in self.target.arms}
        example_id = f"7.{partition}.{source['offset']}.{source['ordinal']}"
        record = {
            "example_id": example_id,
            "prediction_id": f"7.{partition}.0.0",
            "target": self.target.name,
            "customer_id": f"c{self.rng.randrange(50)}",
            "asked_at": 1000 + len(self.records),
            "answers": [
                {"arm": arm, "version": f"{self.target.name}/{arm}.1@{version}", "value": value, "fallback": False}
                for arm, value in given.items()
            ],
            "vector": vector,
            "label": label,
            "outcome_at": 2000 + 10 * len(self.records),
            "settled_by": "event",
            "deployment_id": self.deployment.deployment_id,
            "previous": self.previous.get(partition),
            "source": source,
            **changes,
        }
        self.previous[partition] = example_id
        self.settled[partition] += 1
        self.append("tidecast.LabelledExample", record, self.target.name.encode())
        return record

    def progress(self, watermark: int = 1000) -> None:
        partition = self.rng.randrange(PARTITIONS)
        done = self.settled[partition]
        name = self.target.name
        record = {
            "watermark": watermark,
            "tick": watermark,
            "opened": {name: done + 5},
            "settled": {name: done},
            "source": self.source(partition),
        }
        self.append("tidecast.Progress", record)

    def fill(self, examples: int) -> "ExampleLog":
        """Add examples with progress in between. Some records are repeated, as after a crash, and some are invalid."""
        for _ in range(examples):
            self.example()
            if self.rng.random() < 0.05:
                self.progress()
            if self.rng.random() < 0.02:
                for again in self.records[-self.rng.randint(1, 4) :]:
                    self.raw(again.value, again.key)
            if self.rng.random() < 0.01:
                self.raw(self.rng.choice([None, b"", b"\0\0\0\0\1x", b"nonsense"]))
        return self


def stormy(make: Callable[[], Stage], log: ExampleLog, seed: int, crash: float = 0.2) -> Iterator[Output]:
    """Run a stage with batches of random size and crashes. A crash creates a new stage. It comes before the outputs,
    after them, or after the commit."""
    rng = random.Random(seed)
    while True:
        stage = make()
        at = stage.assign([log.partition])[log.partition]
        while at < len(log.records):
            batch = log.records[at : at + rng.choice([1, 2, 7, 50, 300])]
            crashed = False
            for slice_ in stage.process({log.partition: batch}):
                crashed = rng.random() < crash
                point = rng.randrange(3)
                if crashed and point == 0:
                    break
                yield from slice_.outputs
                if crashed and point == 1:
                    break
                slice_.commit()
                if crashed:
                    break
            if crashed:
                break
            at = batch[-1].offset + 1
        else:
            return
