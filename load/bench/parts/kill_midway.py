"""kill -9 of scoring in the midst of a backlog, and what of it is left when all is done: to be nothing.

Every tenth event's questions are told their outcomes within the hour, so that how many labels there are is known
beforehand (load/reference/use_case/explicit_outcomes.py)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from load.bench.figures import Figures
from load.bench.job import TARGETS, BenchJob, EncodedRecord
from load.bench.publishing import producer
from load.bench.system import BenchSystem
from load.wire import Wire
from schemas.marks import Marks

NAMES = ("top_up", "silence")
"""The targets, in the order of the predictions' ordinals."""
OUTCOME_EVERY = 10
SERVE_EVERY = 500
"""As explicit_outcomes.py says: what is learnt shows in versions, so that a last one belongs to the last label."""
WHOLE = OUTCOME_EVERY * SERVE_EVERY
"""Events that make a version."""
LABEL = "kill -9 midway"


def measure(system: BenchSystem, events: int, figures: Figures) -> None:
    """So many events, rounded to whole versions; `system` has explicit_outcomes.py deployed."""
    events = max(WHOLE, events // WHOLE * WHOLE)
    epoch = json.loads(system.run("status", "--json"))["epoch"]
    publish(system.job, events, epoch, producer(system.stack["kafka"]), system.prefix + "customer-events")
    with system.reader() as reader, system.workers("scoring", "learning") as workers:
        reader.keep()
        reader.wait_for(TARGETS * events // 2)
        killed = workers.kill("scoring")
        reader.wait_for(TARGETS * events)
        workers.drained("scoring")  # of what was read some was sent again, so that there are more to come
        workers.drained("learning")
        read = reader.kept()
    back = read.back(killed)
    figures.add(f"{LABEL}: until predictions come again", "s", back - killed)
    figures.add(f"{LABEL}: until new ones come", "s", read.first_new(back) - killed)
    figures.add(f"{LABEL}: longest silence", "s", read.silence(killed))
    _tell(figures, system, events)
    _verify(figures, system)


def publish(job: BenchJob, events: int, epoch: int, target: Producer, topic: str) -> None:
    """An hour of event time after the other: events, the outcomes of every tenth, a tick."""
    number = 0
    for tick, made in job.hours(events):
        chosen = []
        for one in made:
            number += 1
            report = None
            if number % OUTCOME_EVERY == 0:
                chosen.append(AskedEvent(one.key or b""))
                report = chosen[-1].delivered
            target.produce(topic, one.value, one.key, on_delivery=report)
        target.flush()
        for outcome in (outcome for asked in chosen for outcome in asked.outcomes(job, epoch, tick)):
            target.produce(topic, outcome.value, outcome.key)
        target.flush()
        for one in job.tick(tick):
            target.produce(topic, one.value, partition=one.partition)
    target.flush()


@dataclass(slots=True)
class AskedEvent:
    """An event of which the outcomes are to be told, as soon as it is known where it lies."""

    customer: bytes
    place: tuple[int, int] | None = None

    def delivered(self, _error: KafkaError | None, message: Message) -> None:
        """Kafka has it."""
        self.place = (message.partition(), message.offset())

    def outcomes(self, job: BenchJob, epoch: int, told_at: int) -> Iterator[EncodedRecord]:
        """One for each target. What they say does not matter here: that each is learnt once does."""
        if self.place is not None:
            for ordinal, target in enumerate(NAMES):
                prediction = "{}.{}.{}.{}".format(epoch, *self.place, ordinal)
                yield job.outcome(target, self.customer, prediction, told_at, float(self.place[1] % 3 == 0))


@dataclass(slots=True)
class MarkedReader:
    """What a reader that keeps its marks makes of a topic, by the README's recipe. twice: taken although they had been
    taken before. places: (target, offset) of what was taken."""

    dropped: int = 0
    twice: int = 0
    places: list[tuple[str, int]] = field(default_factory=list)
    _marks: dict[int, Marks] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, partition: int, offset: int, record: dict[str, Any]) -> None:
        """The next record of a partition that is read."""
        if not self._marks.setdefault(partition, Marks()).is_new(record):
            self.dropped += 1
            return
        self.places.append((record["target"], offset))
        known = len(self._seen)
        self._seen.add(record["prediction_id"])
        self.twice += len(self._seen) == known


def taken(system: BenchSystem, topic: str, wanted: str) -> MarkedReader:
    """What a reader takes of a topic, of the records with this name."""
    wire, found = Wire(system.stack["registry"]), MarkedReader()
    consumer = Consumer({"bootstrap.servers": system.stack["kafka"], "group.id": "bench", "enable.auto.commit": False})
    for partition in consumer.list_topics(system.prefix + topic).topics[system.prefix + topic].partitions:
        place = TopicPartition(system.prefix + topic, partition, 0)
        _, end = consumer.get_watermark_offsets(place)
        consumer.assign([place])
        while place.offset < end:
            for message in consumer.consume(5000, 0.2):
                place.offset = message.offset() + 1
                name, record = wire.decode(message.value())
                if name == wanted:
                    found.take(partition, message.offset(), record)
    consumer.close()
    return found


def _tell(figures: Figures, system: BenchSystem, events: int) -> None:
    read = taken(system, "predictions", "tidecast.Prediction")
    figures.add(f"{LABEL}: sent again, and dropped by the marks", "predictions", read.dropped)
    figures.add(f"{LABEL}: taken twice in spite of the marks", "predictions", read.twice)
    figures.add(f"{LABEL}: missing", "predictions", TARGETS * events - len(read.places) + read.twice)
    examples = taken(system, "labelled-examples", "tidecast.LabelledExample")
    served = _served(system)
    for target in NAMES:
        learnt = sum(name == target and offset <= served[target] for name, offset in examples.places)
        figures.add(f"{LABEL}: labels learnt by {target}", f"of {events // OUTCOME_EVERY:,}", learnt)


def _served(system: BenchSystem) -> dict[str, int]:
    """Where in labelled-examples each target's last version stands: it has learnt the example there and all before."""
    versions = {arm["target"]: arm["version"] for arm in json.loads(system.run("status", "--json"))["serving"]}
    return {target: int(versions.get(target, "@-1").rpartition("@")[2]) for target in NAMES}


def _verify(figures: Figures, system: BenchSystem) -> None:
    """All that was left in Redis, in the logs and in the model store against a calm replay of the logs."""
    found = json.loads(system.run("verify", "scoring", "learning", "--json", may_fail=True))
    customers = found.pop("scoring/state")
    figures.add(f"{LABEL}: customers whose state is wrong", f"of {customers['compared']:,}", customers["differing"])
    others = sum(finding["differing"] for finding in found.values())
    figures.add(f"{LABEL}: outputs, models, switches, counts that are wrong", "", others)
    figures.extras.setdefault("kill_midway_differences", []).append(
        {name: finding["differences"] for name, finding in {"customers": customers, **found}.items()}
    )
