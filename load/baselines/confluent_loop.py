"""The job as a consume loop of confluent-kafka, with a Redis hash per customer.

The loop consumes a batch, reads its customers in one pipeline, produces predictions, and writes the changes in a
second pipeline. It commits offsets when the broker has acked the predictions. State and position are not atomic:
after a crash in between, a batch counts twice."""

import signal
from collections.abc import Mapping, Sequence

import redis
from confluent_kafka import Consumer, KafkaException, Message, Producer

from load.baselines.features import MemoryCustomer, Tiles
from load.baselines.job import BaselineJob, tune_garbage_collector
from load.baselines.run_settings import RunSettings

BATCH = 4000
"""Messages per batch, which a crash repeats. Each batch costs a round trip to Redis, a wait for acks and a commit,
so smaller ones cost more: a batch of 250 takes a third more CPU per event."""


class RedisCustomers:
    """Customers in Redis: a hash each, with a field per tile and per event type."""

    def __init__(self, url: str, prefix: str) -> None:
        self._client = redis.Redis.from_url(url, decode_responses=True)
        self._prefix = f"{prefix}customer:"
        self._stored: dict[str, dict[str, str]] = {}

    def load(self, ids: Sequence[str]) -> dict[str, MemoryCustomer]:
        """Read these customers in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for each in ids:
            pipeline.hgetall(self._prefix + each)
        self._stored = dict(zip(ids, pipeline.execute(), strict=True))
        return {each: from_hash(stored) for each, stored in self._stored.items()}

    def save(self, customers: Mapping[str, MemoryCustomer]) -> None:
        """Write what changed since `load` in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for each, customer in customers.items():
            stored, fields = self._stored[each], to_hash(customer)
            pipeline.hset(
                self._prefix + each,
                mapping={name: value for name, value in fields.items() if stored.get(name) != value},
            )
            if removed := stored.keys() - fields.keys():
                pipeline.hdel(self._prefix + each, *removed)
        pipeline.execute()


def to_hash(customer: MemoryCustomer) -> dict[str, str]:
    """Return the fields of a customer's hash: `h:call:473321` → `3,27.5`, `seen:call` → ms, `clock` → ms."""
    fields = {"clock": str(customer.clock)}
    for kind, moment in customer.seen.items():
        fields[f"seen:{kind}"] = str(moment)
    for letter, tiles in (("h", customer.hours), ("d", customer.days)):
        for kind, slots in tiles.items():
            for slot, (count, total) in slots.items():
                fields[f"{letter}:{kind}:{slot}"] = f"{count},{total}"
    return fields


def from_hash(fields: Mapping[str, str]) -> MemoryCustomer:
    """Return the customer of a hash; a new one if it has no fields."""
    customer = MemoryCustomer()
    tiles: dict[str, Tiles] = {"h": customer.hours, "d": customer.days}
    for name, value in fields.items():
        what, *rest = name.split(":")
        if what == "clock":
            customer.clock = int(value)
        elif what == "seen":
            customer.seen[rest[0]] = int(value)
        else:
            count, total = value.split(",")
            tiles[what].setdefault(rest[0], {})[int(rest[1])] = [int(count), float(total)]
    return customer


class ConsumeLoop:
    """Consume, answer, produce, save, commit."""

    def __init__(self, settings: RunSettings) -> None:
        self._topic = settings.predictions_topic
        self._job = BaselineJob(settings.events_topic, settings.prediction_id)
        self._customers = RedisCustomers(settings.redis, settings.prefix)
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka,
                "group.id": settings.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )
        self._consumer.subscribe([settings.events_topic])
        self._ended = False

    def run(self) -> None:
        """Run until `end` is called."""
        while not self._ended:
            if messages := self._consumer.consume(BATCH, 0.1):
                self._batch(messages)
        self._consumer.close()

    def end(self) -> None:
        """Stop after the current batch."""
        self._ended = True

    def _batch(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
        events = [self._job.decode(message.value()) for message in messages]
        customers = self._customers.load(list({event["customer_id"] for event in events}))
        for message, event in zip(messages, events, strict=True):
            customer = customers[event["customer_id"]]
            for answer in self._job.answer(customer, event, message.partition(), message.offset()):
                self._producer.produce(self._topic, answer, message.key())
        self._customers.save(customers)
        if self._producer.flush(60):
            raise TimeoutError("the broker has not acknowledged the predictions")
        self._consumer.commit(asynchronous=False)


def run(settings: RunSettings) -> None:
    """Run until SIGTERM."""
    loop = ConsumeLoop(settings)
    signal.signal(signal.SIGTERM, lambda *_: loop.end())
    tune_garbage_collector()
    loop.run()
