"""Sends dead letters again, with their original bytes and key, to the partition of the key."""

from collections import Counter
from collections.abc import Iterable, Iterator

from agents.dead_letters.rejected import Advance, RejectedLetter
from agents.dead_letters.requeue_preview import Preview, RequeueCheck, RequeueOutcome
from agents.kafka.sender import Sender
from agents.settings import Settings
from schemas.topics import CUSTOMER_EVENTS

HEADER = "tidecast-requeued"
"""The Kafka header of a requeued record. It holds the dead letter's id. Tidecast does not read it."""
SENDABLE = frozenset({RequeueOutcome.FINE, RequeueOutcome.LATE})
SENDABLE_BY_FORCE = SENDABLE | {RequeueOutcome.AGAIN, RequeueOutcome.CONTROL}
LARGEST = 4 * 1024 * 1024
"""Bytes of the largest record: as many as the topic of dead letters accepts."""
ADVICE = "Requeue the same dead letters again: events that Kafka has are dropped as duplicates."


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
        """Send records with one of these `outcomes`; `counts` counts all outcomes."""
        self.counts: Counter[RequeueOutcome] = Counter()
        self.outcomes = outcomes
        self._sender = Sender(settings, CUSTOMER_EVENTS, ADVICE, LARGEST)

    def __enter__(self) -> "Requeuer":
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.flush()

    def send(self, previews: Iterable[tuple[RejectedLetter, Preview]], advance: Advance) -> None:
        """Send the dead letters whose expected outcome allows it, in order."""
        for letter, preview in previews:
            if preview.outcome in self.outcomes:
                headers = [(HEADER, letter.id.encode())]
                key = letter.record["key"]
                self._sender.send(letter.value, key=key, partition=preview.partition, headers=headers)
            self.counts[preview.outcome] += 1
            advance(1)
            self._sender.check()
