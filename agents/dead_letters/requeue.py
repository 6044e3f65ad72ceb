"""Sends dead letters again, with their original bytes and key, to the partition of the key."""

from collections import Counter
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from agents.dead_letters.rejected import Advance, RejectedLetter
from agents.dead_letters.requeue_preview import Preview, RequeueCheck, RequeueOutcome
from agents.settings import Settings
from schemas.topics import CUSTOMER_EVENTS
from streams.errors import Unavailable

HEADER = "tidecast-requeued"
"""Kafka header of a requeued record: the dead letter's id. Tidecast does not read it."""
SENDABLE = frozenset({RequeueOutcome.FINE, RequeueOutcome.LATE})
SENDABLE_BY_FORCE = SENDABLE | {RequeueOutcome.AGAIN, RequeueOutcome.CONTROL}
TIMEOUT = 60.0


def previews(
    letters: Iterable[RejectedLetter], check: RequeueCheck, most: int | None
) -> Iterator[tuple[RejectedLetter, Preview]]:
    """Yield each dead letter with its preview, at most `most`."""
    check.codec.begin_batch()  # all were published before this moment, so an id that is unknown now was unknown then
    for number, letter in enumerate(letters):
        if number == most:
            return
        yield letter, check.of(letter)


class Requeuer:
    """Sends to customer-events. A context manager; it ends when the broker has everything.

    Raises Unavailable when the broker does not accept everything. To repeat the command does no harm: records that
    have an id are dropped as duplicates."""

    def __init__(self, settings: Settings, outcomes: frozenset[RequeueOutcome]) -> None:
        """`outcomes`: those with which a record is sent. `counts` counts all of them."""
        self.counts: Counter[RequeueOutcome] = Counter()
        self._settings = settings
        self.outcomes = outcomes
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                **settings.confluent(),
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 4 * 1024 * 1024,
                "delivery.report.only.error": True,
                "on_delivery": self._report,
                "log_level": 0,
            }
        )

    def __enter__(self) -> "Requeuer":
        return self

    def __exit__(self, *_: object) -> None:
        left = self._producer.flush(TIMEOUT)
        if left or self._failed:
            raise self._unavailable(self._failed[0] if self._failed else None)

    def send(self, previews: Iterable[tuple[RejectedLetter, Preview]], advance: Advance) -> None:
        """Send the dead letters whose expected outcome allows it, in order."""
        for letter, preview in previews:
            if preview.outcome in self.outcomes:
                self._produce(letter, preview.partition)
            self.counts[preview.outcome] += 1
            advance(1)
            if self._failed:
                raise self._unavailable(self._failed[0])

    def _produce(self, letter: RejectedLetter, partition: int) -> None:
        place = {"key": letter.record["key"], "partition": partition, "headers": [(HEADER, letter.id.encode())]}
        while True:
            try:
                self._producer.produce(self._settings.topic(CUSTOMER_EVENTS), letter.value, **place)
                return
            except BufferError:  # more is under way than fits: wait for acknowledgements
                self._producer.poll(0.1)
            except KafkaException as error:
                raise self._unavailable(error.args[0]) from error

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _unavailable(self, error: KafkaError | None) -> Unavailable:
        return Unavailable(
            f"Kafka at {self._settings.kafka} did not take all records ({error.str() if error else 'time-out'}); "
            "check that it runs, and requeue the same again: events that it has are dropped as duplicates."
        )
