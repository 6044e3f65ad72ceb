"""The transactional mode: outputs and their mark go into one transaction, so that readers of committed records never
see an output twice.

There is one transactional producer per partition that a stage reads. Its `transactional.id` is
`GROUP.TOPIC.PARTITION`. The next owner of the partition opens a producer with the same id, which ends the former
owner's unfinished transaction and fences that owner. Each transaction moves the partition's mark, the coordinate of
its last output, as an offset of the group `GROUP-outputs`. The mark in Kafka is written before the position in Redis:
outputs between them are computed again after a crash, and not sent again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from schemas.marks import Mark, mark_above
from sinks.failpoints import PRODUCED, hit
from sinks.kafka.client import Reports, consumer, producer
from sinks.kafka.errors import ENDS
from sinks.kafka.metadata import metadata_of, metadata_text
from sinks.kafka.producer import AGAIN, KafkaEmitter
from streams.errors import PositionConflict, TidecastError, Unavailable
from streams.log import Output, TopicPartition

T = TypeVar("T")

TRANSACTION_MS = 10_000
"""Time after which the broker aborts a transaction. Readers wait at most so long for a dead worker; a new owner of its
partitions ends the wait at once."""
TIMEOUT_S = 12.0
MOST_AT_ONCE = 16
"""The maximum number of transactions that wait for the broker at the same time."""
READING = "read the marks of sent outputs"
FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


def unsent(
    outputs: Iterable[Output], marks: Mapping[TopicPartition, Mark | None]
) -> dict[TopicPartition, tuple[Mark, list[Output]]]:
    """Return, by source partition, the outputs above its mark, and its next mark.

    Outputs of a source partition come in the order of their coordinates. Raises PositionConflict for a partition that
    is not in `marks`."""
    found: dict[TopicPartition, tuple[Mark, list[Output]]] = {}
    for output in outputs:
        source = output.source
        assert source is not None
        place = TopicPartition(source["topic"], source["partition"])
        if place not in marks:
            raise PositionConflict(f"{place.topic}[{place.partition}] is not assigned to this worker.")
        mark = mark_above(marks[place], source)
        if mark is not None:
            kept = found[place][1] if place in found else []
            kept.append(output)
            found[place] = (mark, kept)
    return found


class TransactionalEmitter:
    """An Emitter with transactions. Used by one thread at a time. Outputs without a source are sent without one.

    After an error of a partition its producer is discarded. `assign` opens the next one and reads the mark, which
    shows whether the transaction was committed."""

    def __init__(self, config: Mapping[str, Any], topic: Callable[[str], str], group: str, stage: str) -> None:
        """`config`: connection settings of librdkafka. `topic`: logical name → name on the broker. `group`: the
        stage's group, with the prefix. `stage`: its name for fail points."""
        self._config = {"log_level": 2, **config}
        self._topic = topic
        self._group = group
        self._stage = stage
        self._plain = KafkaEmitter(config, topic)
        self._kept = consumer(self._config, f"{group}-outputs", {"isolation.level": "read_committed"})
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix=f"{stage}-transactions")
        self._channels: dict[TopicPartition, _Channel] = {}
        self._marks: dict[TopicPartition, Mark | None] = {}

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Fence former owners of newly assigned partitions, and read their marks. Raises Unavailable."""
        for gone in self._channels.keys() - {*partitions}:
            self._drop(gone)
        new = [place for place in partitions if place not in self._channels]
        opened = self._all([self._pool.submit(self._open, place) for place in new])
        marks = self._read_marks(new)  # after the producer is open nothing is pending any more
        self._channels |= zip(new, opened, strict=True)
        self._marks |= marks

    def emit(self, outputs: Sequence[Output]) -> None:
        """Send the outputs that were not sent before, and wait until they are committed."""
        plain = [output for output in outputs if output.source is None]
        self._plain.emit(plain)
        pieces = unsent((output for output in outputs if output.source is not None), self._marks)
        self._all([self._pool.submit(self._send, place, *chunk) for place, chunk in pieces.items()])

    @staticmethod
    def _all(started: Sequence[Future[T]]) -> list[T]:
        """Run calls at the same time and return their results. Waits for all; raises the worst error."""
        errors = [error for error in [one.exception() for one in started] if error is not None]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, (PositionConflict, Unavailable)))
        return [one.result() for one in started]

    def _send(self, place: TopicPartition, mark: Mark, outputs: Sequence[Output]) -> None:
        epoch, offset, ordinal = mark
        told = KafkaPartition(
            self._topic(place.topic), place.partition, offset + 1, metadata=metadata_of(f"{epoch}.{ordinal}")
        )
        try:
            self._channels[place].send(outputs, told, self._kept.raw, self._stage)
        except BaseException:
            self._drop(place)
            raise
        self._marks[place] = mark

    def _open(self, place: TopicPartition) -> "_Channel":
        return _Channel(self._config, self._topic, f"{self._group}.{place.topic}.{place.partition}")

    def _drop(self, place: TopicPartition) -> None:
        self._marks.pop(place, None)
        channel = self._channels.pop(place, None)
        if channel is not None:
            channel.drop()

    def _read_marks(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, Mark | None]:
        if not places:
            return {}
        asked = [KafkaPartition(self._topic(place.topic), place.partition) for place in places]
        found = self._kept.ask(READING, self._kept.raw.committed, asked, timeout=TIMEOUT_S)
        return {place: self._mark(told) for place, told in zip(places, found, strict=True)}

    def _mark(self, told: KafkaPartition) -> Mark | None:
        """Return the mark; None where nothing was ever sent in a transaction."""
        if told.error is not None:
            raise self._kept.error(READING, told.error, AGAIN)
        if told.offset < 0:
            return None
        try:
            epoch, ordinal = map(int, metadata_text(told).split("."))
        except ValueError:
            raise TidecastError(
                f"the offset of {self._group}-outputs in {told.topic}[{told.partition}] was set by hand, and is "
                "not a mark of sent outputs; delete that group to send from the stored positions on."
            ) from None
        return (epoch, told.offset - 1, ordinal)


class _Channel:
    """The transactional producer of one source partition."""

    def __init__(self, config: Mapping[str, Any], topic: Callable[[str], str], name: str) -> None:
        """Open the producer and fence its predecessor. `name`: its transactional.id. Raises Unavailable."""
        self._topic = topic
        self._name = name
        self._reports = Reports()
        self._kafka = producer(
            config,
            {
                "transactional.id": name,
                "transaction.timeout.ms": TRANSACTION_MS,
                "linger.ms": 0,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1_048_576,
                "message.max.bytes": 4 * 1024 * 1024,
                "delivery.report.only.error": True,
            },
        )
        try:
            self._kafka.raw.init_transactions(TIMEOUT_S)
        except KafkaException as error:
            told = self._kafka.error(f"open the transactional producer {name}", error.args[0], AGAIN)
            self.drop()
            raise told from None

    def send(self, outputs: Sequence[Output], told: KafkaPartition, group: Consumer, stage: str) -> None:
        """Run one transaction. Raises PositionConflict when fenced, and Unavailable when its outcome is unknown."""
        raw = self._kafka.raw
        try:
            raw.begin_transaction()
            for topic, partition, key, value, _ in outputs:
                self._produce(self._topic(topic), partition, key, value)
            hit(PRODUCED, stage)
            raw.send_offsets_to_transaction([told], group.consumer_group_metadata(), TIMEOUT_S)
            raw.commit_transaction(TIMEOUT_S)
        except KafkaException as error:
            raise self._named([*self._reports.errors, error.args[0]], told) from None

    def _produce(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self._kafka.raw.produce(topic, value, key, partition, on_delivery=self._reports)
                return
            except BufferError:
                self._kafka.raw.poll(0.1)

    def _named(self, errors: Sequence[KafkaError], told: KafkaPartition) -> TidecastError:
        """Translate the worst of these errors, or else the last."""
        if any(error.code() in FENCED for error in errors):
            return PositionConflict(f"Another worker has taken over {told.topic}[{told.partition}].")
        worst = next((error for error in errors if error.code() in ENDS), errors[-1])
        return self._kafka.error(f"commit the transaction of {self._name}", worst, AGAIN)

    def drop(self) -> None:
        """Close the producer. The next producer of this id, or the time-out, ends an open transaction."""
        with suppress(KafkaException):  # a fenced producer raises at every call
            self._kafka.raw.purge()
            self._kafka.raw.flush(0.1)
