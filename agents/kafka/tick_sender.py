"""Writes ticks to customer-events, and says when the broker appended them, by the broker's clock."""

from collections.abc import Mapping, Sequence

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.settings import Settings
from schemas.topics import CUSTOMER_EVENTS
from sinks.kafka.client import KafkaClient, admin, producer
from streams.control import MARK_HEADER

TIMEOUT_S = 10.0
"""Seconds after which the broker counts as away."""
AGAIN = "Tidecast tries again."


class TickSender:
    """A producer of ticks. Used by one thread at a time. Raises Unavailable while Kafka is away.

    It is not idempotent: a repeated tick, or one that goes backwards, changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._config = settings.confluent()
        self._topic = settings.topic(CUSTOMER_EVENTS)
        self._errors: list[KafkaError] = []
        self._appended: dict[int, int | None] = {}
        self._kafka: KafkaClient[Producer] | None = None

    def send(self, ticks: Mapping[int, bytes]) -> dict[int, int | None]:
        """Write a tick to each partition; return the broker's time of each append, ms.

        None stands for a topic whose timestamps are the writers' (message.timestamp.type is CreateTime)."""
        kafka = self._kafka or self._connect()
        self._errors.clear()
        self._appended = {}
        for partition, tick in ticks.items():
            kafka.raw.produce(self._topic, tick, partition=partition, headers=[MARK_HEADER], on_delivery=self._reported)
        left = kafka.raw.flush(TIMEOUT_S)
        if left or self._errors:
            raise kafka.error("write ticks", self._errors[0] if self._errors else None, AGAIN)
        return self._appended

    def newest(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the latest time of append in each of these partitions, ms, without those that hold nothing.

        The broker's clock shows this or more."""
        asking = admin(self._config)
        places = {TopicPartition(self._topic, partition): OffsetSpec.max_timestamp() for partition in partitions}
        futures = asking.raw.list_offsets(places)
        found = {
            place.partition: asking.ask("ask for the time of the last records", future.result, TIMEOUT_S).timestamp
            for place, future in futures.items()
        }
        return {partition: timestamp for partition, timestamp in found.items() if timestamp >= 0}

    def _connect(self) -> KafkaClient[Producer]:
        options = {"acks": "all", "linger.ms": 0, "message.timeout.ms": int(1000 * TIMEOUT_S)}
        self._kafka = producer(self._config, options)
        return self._kafka

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._errors.append(error)
            return
        kind, timestamp = message.timestamp()
        partition = message.partition()
        assert partition is not None  # it was delivered
        self._appended[partition] = timestamp if kind == TIMESTAMP_LOG_APPEND_TIME else None
