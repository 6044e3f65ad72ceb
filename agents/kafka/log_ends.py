"""Reads where partitions end: after all records, and after the last one that may be read."""

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from agents.kafka.log_reader import tool_consumer
from agents.settings import Settings
from sinks.kafka.client import KafkaClient
from streams.log import TopicPartition

TIMEOUT = 10.0
"""Seconds without an answer after which the broker counts as away."""


class LogEnd(NamedTuple):
    """The end of a partition.

    high: next offset to be written (high watermark). readable: offset at which the oldest open transaction begins, or
    `high` (last stable offset). Nothing from there on is read, because readers see committed records only."""

    high: int
    readable: int


class LogEnds:
    """Reads ends. Keeps its connections. Raises Unavailable when Kafka does not answer."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        # a consumer's isolation level decides which end the broker names
        self._all, self._committed = (
            tool_consumer(settings, {"isolation.level": level}) for level in ("read_uncommitted", "read_committed")
        )

    def of(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, LogEnd]:
        """Return the ends of these partitions, without those that have no leader now or do not exist."""
        asked = list(places)
        if not asked:
            return {}
        # the readable end first: it is never beyond the other one
        readable, high = (self._ends(client, asked) for client in (self._committed, self._all))
        return {place: LogEnd(high[place], readable[place]) for place in asked if place in high and place in readable}

    def _ends(self, client: KafkaClient[Consumer], places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the ends of all partitions but the unknown ones. One unknown topic fails a question about several."""
        try:
            return self._asked(client, places)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise client.error("ask where the topics end", error.args[0]) from error
        topics = {place.topic for place in places}
        if len(topics) == 1:
            return {}
        parts = [self._ends(client, [place for place in places if place.topic == topic]) for topic in topics]
        return {place: end for part in parts for place, end in part.items()}

    def _asked(self, client: KafkaClient[Consumer], places: list[TopicPartition]) -> dict[TopicPartition, int]:
        asked = [KafkaPartition(self._settings.topic(topic), partition, OFFSET_END) for topic, partition in places]
        found = client.raw.offsets_for_times(asked, timeout=self._timeout)
        return {place: end.offset for place, end in zip(places, found, strict=True) if end.error is None}

    def close(self) -> None:
        """Close the connections."""
        self._all.raw.close()
        self._committed.raw.close()


def open_transaction(who: str, place: TopicPartition, offset: int, servers: str, prefix: str) -> str:
    """Return the sentence for an open transaction that begins at `offset`.

    who: what waits for its end. servers, prefix: Kafka's address and the topics' prefix."""
    topic = prefix + place.topic
    where = f"--topic {topic} --partition {place.partition}"
    tool = f"kafka-transactions.sh --bootstrap-server {servers}"
    return (
        f"{who} waits at offset {offset} of {topic}[{place.partition}]: an open transaction began there, "
        "and nothing after it can be read. It ends when its producer commits or aborts it, or when the producer's "
        f"transaction.timeout.ms is over. To see the producer: `{tool} describe-producers {where}`; to look for others "
        f"like it: `{tool} find-hanging --topic {topic}`. If it is dead, end its transaction: `{tool} abort "
        f"{where} --start-offset {offset}`."
    )
