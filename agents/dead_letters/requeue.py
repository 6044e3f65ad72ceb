"""Sending dead letters again: their own bytes and key, to the partition where they belong."""

from collections import Counter
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from agents.dead_letters.rejected import Advance, KeptLetter
from agents.dead_letters.requeue_preview import Fate, Foresight, Prospect
from agents.settings import Settings
from schemas.topics import CUSTOMER_EVENTS
from streams.errors import Unavailable

HEADER = "tidecast-requeued"
"""Kafka header of a record that was sent again: the dead letter's id. Nothing of ours reads it."""
SENDABLE = frozenset({Fate.FINE, Fate.LATE})
FORCED = SENDABLE | {Fate.AGAIN, Fate.CONTROL}
TIMEOUT = 60.0


def judged(
    letters: Iterable[KeptLetter], foresight: Foresight, most: int | None
) -> Iterator[tuple[KeptLetter, Prospect]]:
    """Each with its prospect, at most so many."""
    foresight.codec.begin_batch()  # all of them were published before: an id that is unknown now was so then
    for number, letter in enumerate(letters):
        if number == most:
            return
        yield letter, foresight.of(letter)


class Requeuer:
    """Sends to customer-events; a context manager that returns when the broker has everything.

    Unavailable when it does not: to do the same again does no harm to records that have an id."""

    def __init__(self, settings: Settings, fates: frozenset[Fate]) -> None:
        """`fates`: the prospects with which a record is sent; others are counted only, in `counts`."""
        self.counts: Counter[Fate] = Counter()
        self._settings = settings
        self.fates = fates
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

    def send(self, judged: Iterable[tuple[KeptLetter, Prospect]], advance: Advance) -> None:
        """Send those whose fate allows it, in order; count all."""
        for letter, prospect in judged:
            if prospect.fate in self.fates:
                self._produce(letter, prospect.partition)
            self.counts[prospect.fate] += 1
            advance(1)
            if self._failed:
                raise self._unavailable(self._failed[0])

    def _produce(self, letter: KeptLetter, partition: int) -> None:
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
