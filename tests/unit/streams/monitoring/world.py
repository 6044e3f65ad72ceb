"""Predictions and progress as scoring writes them. A shell runs monitoring with or without crashes."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.catalog import load_schemas
from schemas.topics import DRIFT_ALERTS, FEATURE_PROFILES, PREDICTIONS
from streams.avro.codec import Codec, MemoryRegistry
from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.log import Output, Record, TopicPartition
from streams.monitoring import Monitoring
from streams.state.memory import MemoryStageStore
from streams.usecases import AbsenceOf, Arm, Ask, Count, Logistic, Mean, PriorRate, Target, UseCase

DAY = 86_400_000
START = 19_000 * DAY
PROFILES = TopicPartition(FEATURE_PROFILES, 0)


def target(name: str, features: tuple[str, ...] | None = None) -> Target:
    arms = (Arm("logistic", Logistic(), role="champion"), Arm("prior", PriorRate(), role="naive"))
    return Target(name, ask=Ask(on=("Buy",)), outcome=AbsenceOf("Buy", over="3d"), arms=arms, features=features)


def use_case(**changes: Any) -> UseCase:
    declared: dict[str, Any] = {
        "name": "small",
        "features": (Count("count", of="Buy", over="3d"), Mean("mean", of="Buy", field="cents", over="3d")),
        "targets": (target("silent"), target("other", ("mean",))),
        "reference_windows": 3,
        "false_alarms": 0.01,
    }
    return UseCase(**{**declared, **changes})


def deployment(case: UseCase, partitions: int) -> Deployment:
    return deploy_of(case, 7, partitions, {}, Fingerprint("", "", "", ""))


def codec() -> Codec:
    registry = MemoryRegistry()
    for name, schema in load_schemas().items():
        registry.id_of(name, schema)
    return Codec(registry, load_schemas())


@dataclass
class World:
    """The logs that monitoring reads and writes. `alerts` holds the records of drift-alerts."""

    partitions: int = 2
    case: UseCase = field(default_factory=use_case)
    codec: Codec = field(default_factory=codec)
    logs: dict[TopicPartition, list[Record]] = field(default_factory=dict)
    alerts: list[bytes] = field(default_factory=list)
    _sources: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deployment = deployment(self.case, self.partitions)
        self.logs = {TopicPartition(PREDICTIONS, p): [] for p in range(self.partitions)} | {PROFILES: []}

    # -- what scoring writes

    def append(self, tp: TopicPartition, key: bytes | None, value: bytes | None) -> None:
        self.logs[tp].append(Record(len(self.logs[tp]), 0, key, value))

    def say(self, partition: int, name: str, record: dict[str, Any], ordinal: int = 0, same: bool = False) -> None:
        offset = self._sources.get(partition, -1) + (not same)
        self._sources[partition] = offset
        source = {
            "topic": "customer-events",
            "epoch": 7,
            "partition": partition,
            "offset": offset,
            "ordinal": ordinal,
        }
        value = self.codec.encode(name, {**record, "source": source})
        self.append(TopicPartition(PREDICTIONS, partition), None, value)

    def predict(self, partition: int, asked_at: int, vector: list[float], value: float = 0.5, **changes: Any) -> None:
        place = {key: changes.pop(key) for key in ("ordinal", "same") if key in changes}
        record = {
            "prediction_id": "",
            "target": "silent",
            "customer_id": "c",
            "asked_at": asked_at,
            "asked_by": "Buy",
            "value": value,
            "champion": "logistic",
            "answers": [],
            "vector": vector,
            "reasons": [],
            "observed": False,
            "horizon_end": None,
            "deployment_id": self.deployment.deployment_id,
        }
        self.say(partition, "tidecast.Prediction", {**record, **changes}, **place)

    def progress(self, watermark: int, partitions: Iterable[int] | None = None) -> None:
        for partition in range(self.partitions) if partitions is None else partitions:
            record = {"watermark": watermark, "tick": watermark + 5, "opened": {}, "settled": {}}
            self.say(partition, "tidecast.Progress", record)

    # -- running

    def stage(self, store: MemoryStageStore) -> tuple[Monitoring, dict[TopicPartition, int]]:
        stage = Monitoring(self.case, self.deployment, store, self.codec)
        return stage, dict(stage.assign([tp for tp in self.logs if stage.wants(tp)]))

    def emit(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if output.topic == DRIFT_ALERTS:
                self.alerts.append(output.value)
            else:
                self.append(TopicPartition(output.topic, output.partition), output.key, output.value)

    def run(self, chance: random.Random | None = None, crash: float = 0.0, most: int = 40) -> MemoryStageStore:
        """Run until all logs are read.

        `chance` makes batches random, with at most `most` records. `crash` is the probability that the process dies in
        a slice: before, during or after sending, or after the commit."""
        store = MemoryStageStore()
        stage, positions = self.stage(store)
        while behind := {tp: self.logs[tp][positions[tp] :] for tp in self.logs if positions[tp] < len(self.logs[tp])}:
            batch = {tp: some[: chance.randint(1, most)] for tp, some in behind.items()} if chance else behind
            for slice_ in stage.process(batch):
                dies = chance is not None and chance.random() < crash
                sent = chance.randint(0, len(slice_.outputs)) if chance and dies else len(slice_.outputs)
                self.emit(slice_.outputs[:sent])
                if not dies or (chance and sent == len(slice_.outputs) and chance.random() < 0.5):
                    slice_.commit()
                    positions.update(slice_.positions)
                if dies:
                    stage, positions = self.stage(store)
                    break
        return store

    def profiles(self) -> list[dict[str, Any]]:
        """Return the records that a reader takes from feature-profiles. A record at or below the mark is dropped."""
        return list(self._read(record.value for record in self.logs[PROFILES]))

    def drift_alerts(self) -> list[dict[str, Any]]:
        return list(self._read(self.alerts))

    def merged(self) -> list[dict[str, Any]]:
        return [profile for profile in self.profiles() if profile["partition"] is None]

    def _read(self, values: Iterable[bytes | None]) -> Iterator[dict[str, Any]]:
        marks: dict[tuple[str, int], tuple[int, int, int]] = {}
        for value in values:
            record = self.codec.decode(value)[1]
            source = record["source"]
            place = (source["topic"], source["partition"])
            mark = (source["epoch"], source["offset"], source["ordinal"])
            if mark > marks.get(place, (-1, -1, -1)):
                marks[place] = mark
                yield record
