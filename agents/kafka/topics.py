"""Creates the topics on the broker, and reads and writes the deployment that is in force in them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic

from agents.kafka.log_reader import tool_consumer
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.skips import skips_in
from agents.kafka.topic_settings import TopicSettings, wanted_settings
from agents.settings import Settings
from schemas.catalog import load_schemas
from schemas.records import DEPLOYMENT, DeploymentRecord
from schemas.topics import CUSTOMER_EVENTS, DEPLOYMENTS, FOREVER, TOPICS, Topic
from sinks.kafka.client import KafkaClient, Reports, admin, producer
from streams.avro.codec import Codec
from streams.control import MARK_HEADER, check
from streams.deployment import Deployment, number_of
from streams.errors import SettingError, TidecastError, Undecodable
from streams.log import Output

TIMEOUT = 10.0
"""Seconds after which the broker counts as away."""
MAKING_S = 60.0
"""Seconds that a broker may take to create partitions; a busy one needs more than TIMEOUT for a hundred."""
CURRENT = b"current"
"""Key of the record in `deployments` that holds the deployment in force."""
STARTING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
"""Errors of a broker for a partition that is being created."""


class Logs:
    """The topics of one system. Raises Unavailable when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings.confluent())

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of our existing topics, by logical name."""
        found = self._admin.ask("list the topics", self._admin.raw.list_topics, timeout=TIMEOUT).topics
        names = {name: self._settings.topic(name) for name in TOPICS}
        return {name: len(found[real].partitions) for name, real in names.items() if real in found}

    def replicas(self) -> dict[str, int]:
        """Return the least number of replicas of a partition of our existing topics, by logical name."""
        found = self._admin.ask("list the topics", self._admin.raw.list_topics, timeout=TIMEOUT).topics
        names = {name: self._settings.topic(name) for name in TOPICS}
        return {
            name: min(len(partition.replicas) for partition in found[real].partitions.values())
            for name, real in names.items()
            if real in found
        }

    def create(self, partitions: int, retention_ms: int | None) -> list[str]:
        """Create the missing topics and return their names. May be repeated.

        retention_ms: of the topics that are otherwise kept for ever."""
        there = self.partitions()
        missing = [topic for topic in TOPICS.values() if topic.name not in there]
        new = [self._new(topic, partitions, retention_ms) for topic in missing]
        for future in (self._admin.raw.create_topics(new) if new else {}).values():
            self._created(future)
        for topic in missing:
            self.ends(topic.name, topic.count(partitions))
        return [topic.name for topic in missing]

    def grow(self, topic: str, count: int) -> None:
        """Add partitions to an existing topic, up to `count`."""
        real = self._settings.topic(topic)
        for future in self._admin.raw.create_partitions([NewPartitions(real, count)]).values():
            self._admin.ask(f"add partitions to {real}", future.result, MAKING_S)
        self.ends(topic, count)

    def ends(self, topic: str, count: int) -> list[tuple[int, int]]:
        """Return (first offset kept, next offset) of each of the `count` partitions of a topic.

        Waits for partitions that are being created. (The admin client's list_offsets is not used: it sometimes does
        not find the leader of a partition that has one.)"""
        name = self._settings.topic(topic)
        asking = _consumer(self._settings, name)
        try:
            return [self._bounds(asking, TopicPartition(name, partition)) for partition in range(count)]
        finally:
            asking.raw.close()

    def _bounds(self, asking: KafkaClient[Consumer], place: TopicPartition) -> tuple[int, int]:
        end = time.monotonic() + MAKING_S
        while True:
            try:
                low, high = asking.raw.get_watermark_offsets(place, timeout=TIMEOUT)
                return low, high
            except KafkaException as error:
                if error.args[0].code() not in STARTING or time.monotonic() > end:
                    raise asking.error(f"ask where {place.topic} ends", error.args[0]) from error
                time.sleep(0.05)

    def keep(self, retention_ms: int) -> None:
        """Change the retention of existing topics that are otherwise kept for ever."""
        names = [topic.name for topic in TOPICS.values() if topic.retention_ms == FOREVER and not topic.compact]
        TopicSettings(self._settings).change({name: {"retention.ms": str(retention_ms)} for name in names})

    def _new(self, topic: Topic, partitions: int, retention_ms: int | None) -> NewTopic:
        return NewTopic(
            self._settings.topic(topic.name),
            num_partitions=topic.count(partitions),
            replication_factor=-1,  # the broker's default
            config=wanted_settings(topic, retention_ms or FOREVER),
        )

    def _created(self, future: Any) -> None:
        try:
            future.result(TIMEOUT)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._admin.error("create the topics", error.args[0]) from error


def current_deployment(settings: Settings) -> Deployment | None:
    """Read the deployment in force from the compacted topic `deployments`; None before the first `tidecast deploy`.

    Raises TidecastError when it is not signed with our key, or when it is signed and we have no key, and Unavailable
    when Kafka or the registry is away."""
    partitions = Logs(settings).partitions()
    if DEPLOYMENTS not in partitions or CUSTOMER_EVENTS not in partitions:
        return None
    written = _written(settings, settings.topic(DEPLOYMENTS))
    values = [value for key, value in written if key == CURRENT]
    if not values:
        return None
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        signed = _signed(settings, codec, values)
        skips = skips_in(codec, settings.keys.of_log(signed[-1]["epoch"]), written) if signed else frozenset()
    if not signed:
        raise TidecastError(
            f"The deployment in {settings.topic(DEPLOYMENTS)} is not signed with a key of TIDECAST_SIGNING_KEYS; "
            "add the key with which it was deployed (or TIDECAST_SIGNING_KEY, for a key without an id)."
        )
    # Not simply the last one: a former one that was written again is signed as well.
    greatest = max(signed, key=number_of) if any(map(number_of, signed)) else signed[-1]
    # a topic may have got more partitions since: the least of those that began with as many as customer-events
    counts = [count for name, count in partitions.items() if TOPICS[name].partitions is None]
    return replace(Deployment.from_record(greatest, min(counts)), skips=skips)


def require_keys(settings: Settings) -> None:
    """Raise SettingError for a process without keys that was not told to run without."""
    if not settings.keys and not settings.unsigned:
        raise SettingError(
            "There is no signing key: set TIDECAST_SIGNING_KEYS to that of this system (`tidecast keys new` makes the "
            "first), or TIDECAST_UNSIGNED=true where nobody else can write to Kafka and the model store."
        )


def required_deployment(settings: Settings) -> Deployment:
    """Return the deployment in force. Raises SettingError when there is none."""
    require_keys(settings)
    deployment = current_deployment(settings)
    if deployment is None:
        raise SettingError("Nothing is deployed yet: run `tidecast deploy USE_CASE` first.")
    return deployment


def _signed(settings: Settings, codec: Codec, values: Sequence[bytes]) -> list[DeploymentRecord]:
    """Return the deployment records among these values that are signed with our key."""
    found = []
    for value in values:
        try:
            name, record = codec.decode(value, {DEPLOYMENT})
        except Undecodable:
            continue
        keys = settings.keys.of_log(record["epoch"])
        if record["signature"] is not None and not keys:
            raise SettingError(
                f"The deployment in {settings.topic(DEPLOYMENTS)} is signed and this process has no key, whatever "
                "TIDECAST_UNSIGNED says; set TIDECAST_SIGNING_KEYS to the keys of this system."
            )
        # A publisher of ticks cannot verify it. What it writes under a forged one is refused.
        if not keys.checks_control or check(name, record, keys, DEPLOYMENTS, 0):
            found.append(record)
    return found


def first_values(settings: Settings, topic: str, bounds: Sequence[tuple[int, int]]) -> list[bytes | None]:
    """Return the value of the first record kept in each partition of a topic; None where it is empty.

    bounds: of the partitions, as `Logs.ends` returns them."""
    name = settings.topic(topic)
    found: list[bytes | None] = [None] * len(bounds)
    wanted = {partition for partition, (low, high) in enumerate(bounds) if high > low}
    reading = _consumer(settings, name)
    try:
        reading.raw.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in wanted])
        while wanted:
            message = reading.raw.poll(TIMEOUT)
            error = message.error() if message is not None else None
            if message is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):
                raise reading.error("read a topic", error)
            place = int(message.partition() or 0)
            if place in wanted:
                wanted.remove(place)
                found[place] = None if error is not None else message.value()
                reading.raw.pause([TopicPartition(name, place)])
        return found
    finally:
        reading.raw.close()


def write(settings: Settings, outputs: Sequence[Output]) -> None:
    """Produce control records in order, marked as such. Returns when all are acked; otherwise raises Unavailable."""
    reports = Reports()
    # Not an idempotent producer, which takes half a second to start: a repeated control record is harmless.
    writing = producer(settings.confluent(), {"acks": "all", "max.in.flight": 1})
    for output in outputs:
        writing.raw.produce(
            settings.topic(output.topic),
            value=output.value,
            key=output.key,
            partition=output.partition,
            headers=[MARK_HEADER],
            on_delivery=reports,
        )
    if writing.raw.flush(TIMEOUT) or reports.errors:
        raise writing.error("write all records", reports.first, "Run the same command again.")


def _written(settings: Settings, topic: str) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of all records in the only partition of a topic that have both, oldest first."""
    reading = _reader(settings, topic, 0)
    found = []
    try:
        while (message := _next(reading)) is not None:
            key, value = message.key(), message.value()
            if key is not None and value is not None:
                found.append((key, value))
        return found
    finally:
        reading.raw.close()


def _consumer(settings: Settings, topic: str) -> KafkaClient[Consumer]:
    """Open a consumer without a group, with the topic's metadata loaded: it would otherwise idle for half a second."""
    # the end of a partition is known only when a fetch returns
    options = {"enable.partition.eof": True, "fetch.wait.max.ms": 10}
    asking = tool_consumer(settings, options)
    try:
        asking.ask(f"ask about the topic {topic}", asking.raw.list_topics, topic, timeout=TIMEOUT)
    except BaseException:
        asking.raw.close()
        raise
    return asking


def _reader(settings: Settings, topic: str, partition: int) -> KafkaClient[Consumer]:
    """Open a consumer of one partition from its beginning."""
    reading = _consumer(settings, topic)
    reading.raw.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    return reading


def _next(reading: KafkaClient[Consumer]) -> Message | None:
    """Return the next record; None at the end of the partition."""
    message = reading.raw.poll(TIMEOUT)
    error = message.error() if message is not None else None
    if message is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):
        raise reading.error("read a topic", error)
    return None if error is not None else message


def missing(there: Mapping[str, int]) -> list[str]:
    """Return our topics that do not exist."""
    return [name for name in TOPICS if name not in there]
