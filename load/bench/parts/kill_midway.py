"""kill -9 of the scorer midway through a backlog. The end result must be the same as without it.

Every tenth event gets an outcome for each of its questions within the hour, so that the number of labels is known
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
from schemas.records import LABELLED_EXAMPLE, PREDICTION

NAMES = ("top_up", "silence")
"""The targets in the order of the predictions' ordinals."""
OUTCOME_EVERY = 10
SERVE_EVERY = 500
"""Examples per version, as in explicit_outcomes.py. Only versions show what was learnt, so the last label must
complete one."""
EVENTS_PER_VERSION = OUTCOME_EVERY * SERVE_EVERY
"""The number of events whose labels are enough for one version."""
LABEL = "kill -9 midway"


def measure(system: BenchSystem, events: int, figures: Figures) -> None:
    """Run with `events` events, rounded down to whole versions. `system` has explicit_outcomes.py deployed."""
    events = max(EVENTS_PER_VERSION, events // EVENTS_PER_VERSION * EVENTS_PER_VERSION)
    epoch = json.loads(system.run("status", "--json"))["epoch"]
    publish(system.job, events, epoch, producer(system.stack["kafka"]), system.prefix + "customer-events")
    with system.reader() as reader, system.workers("scoring", "learning") as workers:
        reader.record()
        reader.wait_for(TARGETS * events // 2)
        killed = workers.kill("scoring")
        reader.wait_for(TARGETS * events)
        workers.drained("scoring")  # some predictions were sent twice, so more are to come
        workers.drained("learning")
        log = reader.recorded()
    resumed = log.resumed(killed)
    figures.add(f"{LABEL}: until predictions come again", "s", resumed - killed)
    figures.add(f"{LABEL}: until new ones come", "s", log.first_new(resumed) - killed)
    figures.add(f"{LABEL}: longest silence", "s", log.silence(killed))
    _check_topics(figures, system, events)
    _verify(figures, system)


def publish(job: BenchJob, events: int, epoch: int, target: Producer, topic: str) -> None:
    """Publish hour by hour of event time: the events, the outcomes of every tenth, a tick."""
    number = 0
    for tick, records in job.hours(events):
        chosen = []
        for record in records:
            number += 1
            report = None
            if number % OUTCOME_EVERY == 0:
                chosen.append(EventWithOutcomes(record.key or b""))
                report = chosen[-1].delivered
            target.produce(topic, record.value, record.key, on_delivery=report)
        target.flush()
        for outcome in (outcome for event in chosen for outcome in event.outcomes(job, epoch, tick)):
            target.produce(topic, outcome.value, outcome.key)
        target.flush()
        for record in job.tick(tick):
            target.produce(topic, record.value, partition=record.partition)
    target.flush()


@dataclass(slots=True)
class EventWithOutcomes:
    """An event whose questions get outcomes, once its position is known."""

    customer: bytes
    position: tuple[int, int] | None = None

    def delivered(self, _error: KafkaError | None, message: Message) -> None:
        """Note the position; called when Kafka has acked the event."""
        self.position = (message.partition(), message.offset())

    def outcomes(self, job: BenchJob, epoch: int, time_ms: int) -> Iterator[EncodedRecord]:
        """Yield one outcome per target. Its value does not matter: what counts is that each is learnt once."""
        if self.position is not None:
            for ordinal, target in enumerate(NAMES):
                prediction = "{}.{}.{}.{}".format(epoch, *self.position, ordinal)
                yield job.outcome(target, self.customer, prediction, time_ms, float(self.position[1] % 3 == 0))


@dataclass(slots=True)
class MarkedReader:
    """A reader that keeps marks, as the README's recipe describes.

    dropped: repetitions that the marks detected. twice: repetitions that they missed. taken: target and offset of
    what was read."""

    dropped: int = 0
    twice: int = 0
    taken: list[tuple[str, int]] = field(default_factory=list)
    _marks: dict[int, Marks] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, partition: int, offset: int, record: dict[str, Any]) -> None:
        """Read the next record of a partition."""
        if not self._marks.setdefault(partition, Marks()).advance(record):
            self.dropped += 1
            return
        self.taken.append((record["target"], offset))
        known = len(self._seen)
        self._seen.add(record["prediction_id"])
        self.twice += len(self._seen) == known


def read_with_marks(system: BenchSystem, topic: str, wanted: str) -> MarkedReader:
    """Read the records of type `wanted` from a topic, and drop repetitions by marks."""
    wire, reader = Wire(system.stack["registry"]), MarkedReader()
    consumer = Consumer({"bootstrap.servers": system.stack["kafka"], "group.id": "bench", "enable.auto.commit": False})
    for partition in consumer.list_topics(system.prefix + topic).topics[system.prefix + topic].partitions:
        position = TopicPartition(system.prefix + topic, partition, 0)
        _, end = consumer.get_watermark_offsets(position)
        consumer.assign([position])
        while position.offset < end:
            for message in consumer.consume(5000, 0.2):
                position.offset = message.offset() + 1
                name, record = wire.decode(message.value())
                if name == wanted:
                    reader.take(partition, message.offset(), record)
    consumer.close()
    return reader


def _check_topics(figures: Figures, system: BenchSystem, events: int) -> None:
    predictions = read_with_marks(system, "predictions", PREDICTION)
    figures.add(f"{LABEL}: sent again, and dropped by the marks", "predictions", predictions.dropped)
    figures.add(f"{LABEL}: taken twice in spite of the marks", "predictions", predictions.twice)
    figures.add(f"{LABEL}: missing", "predictions", TARGETS * events - len(predictions.taken) + predictions.twice)
    examples = read_with_marks(system, "labelled-examples", LABELLED_EXAMPLE)
    served = _served(system)
    for target in NAMES:
        learnt = sum(name == target and offset <= served[target] for name, offset in examples.taken)
        figures.add(f"{LABEL}: labels learnt by {target}", f"of {events // OUTCOME_EVERY:,}", learnt)


def _served(system: BenchSystem) -> dict[str, int]:
    """Return the position in labelled-examples of each target's last version: it has learnt all examples up to
    there."""
    versions = {arm["target"]: arm["version"] for arm in json.loads(system.run("status", "--json"))["serving"]}
    return {target: int(versions.get(target, "@-1").rpartition("@")[2]) for target in NAMES}


def _verify(figures: Figures, system: BenchSystem) -> None:
    """Compare Redis, the logs and the model store with an undisturbed replay of the logs."""
    checks = json.loads(system.run("verify", "scoring", "learning", "--json", may_fail=True))
    customers = checks.pop("scoring/state")
    figures.add(f"{LABEL}: customers whose state is wrong", f"of {customers['compared']:,}", customers["differing"])
    others = sum(check["differing"] for check in checks.values())
    figures.add(f"{LABEL}: outputs, models, switches, counts that are wrong", "", others)
    figures.extras.setdefault("kill_midway_differences", []).append(
        {name: check["differences"] for name, check in {"customers": customers, **checks}.items()}
    )
