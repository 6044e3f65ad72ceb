"""The job as a plain consume loop of confluent-kafka, with a Redis hash per customer.

A batch is consumed, the customers in it are read in one pipeline, predictions are produced, what has changed is written
in a second pipeline; when the broker has acknowledged the predictions the offsets are committed. A crash in between
counts a batch twice: the state and the position are not one."""

import signal
from collections.abc import Mapping, Sequence

import redis
from confluent_kafka import Consumer, KafkaException, Message, Producer

from load.baselines.features import MemoryCustomer, Tiles
from load.baselines.job import BaselineJob, tune_garbage_collector
from load.baselines.run_settings import RunSettings

BATCH = 4000
"""Messages consumed at once, and what a crash repeats. Fewer cost more: a round trip to Redis, a wait for the broker's
acks and a commit for each batch (250: a third more CPU per event)."""


class RedisCustomers:
    """Customers in Redis: a hash each, with a field per tile and per type seen."""

    def __init__(self, url: str, prefix: str) -> None:
        self._client = redis.Redis.from_url(url, decode_responses=True)
        self._prefix = f"{prefix}customer:"
        self._stored: dict[str, dict[str, str]] = {}

    def load(self, ids: Sequence[str]) -> dict[str, MemoryCustomer]:
        """These customers, in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for each in ids:
            pipeline.hgetall(self._prefix + each)
        self._stored = dict(zip(ids, pipeline.execute(), strict=True))
        return {each: from_hash(stored) for each, stored in self._stored.items()}

    def save(self, profiles: Mapping[str, MemoryCustomer]) -> None:
        """What has changed since `load`, in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        for each, profile in profiles.items():
            stored, fields = self._stored[each], to_hash(profile)
            pipeline.hset(
                self._prefix + each,
                mapping={name: value for name, value in fields.items() if stored.get(name) != value},
            )
            if gone := stored.keys() - fields.keys():
                pipeline.hdel(self._prefix + each, *gone)
        pipeline.execute()


def to_hash(profile: MemoryCustomer) -> dict[str, str]:
    """The fields of a customer's hash: `h:call:473321` → `3,27.5`, `seen:call` → ms, `clock` → ms."""
    fields = {"clock": str(profile.clock)}
    for kind, moment in profile.seen.items():
        fields[f"seen:{kind}"] = str(moment)
    for letter, tiles in (("h", profile.hours), ("d", profile.days)):
        for kind, slots in tiles.items():
            for slot, (count, total) in slots.items():
                fields[f"{letter}:{kind}:{slot}"] = f"{count},{total}"
    return fields


def from_hash(fields: Mapping[str, str]) -> MemoryCustomer:
    """The customer; someone new without fields."""
    profile = MemoryCustomer()
    tiles: dict[str, Tiles] = {"h": profile.hours, "d": profile.days}
    for name, value in fields.items():
        what, *rest = name.split(":")
        if what == "clock":
            profile.clock = int(value)
        elif what == "seen":
            profile.seen[rest[0]] = int(value)
        else:
            count, total = value.split(",")
            tiles[what].setdefault(rest[0], {})[int(rest[1])] = [int(count), float(total)]
    return profile


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
        """Until `end`."""
        while not self._ended:
            if messages := self._consumer.consume(BATCH, 0.1):
                self._batch(messages)
        self._consumer.close()

    def end(self) -> None:
        """After the batch at hand."""
        self._ended = True

    def _batch(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
        events = [self._job.decode(message.value()) for message in messages]
        profiles = self._customers.load(list({event["customer_id"] for event in events}))
        for message, event in zip(messages, events, strict=True):
            profile = profiles[event["customer_id"]]
            for answer in self._job.answer(profile, event, message.partition(), message.offset()):
                self._producer.produce(self._topic, answer, message.key())
        self._customers.save(profiles)
        if self._producer.flush(60):
            raise TimeoutError("the broker has not acknowledged the predictions")
        self._consumer.commit(asynchronous=False)


def run(settings: RunSettings) -> None:
    """Until SIGTERM."""
    loop = ConsumeLoop(settings)
    signal.signal(signal.SIGTERM, lambda *_: loop.end())
    tune_garbage_collector()
    loop.run()
