"""Commands to the log: pause its time, let it go on, and pass over one control record at which scoring stands."""

from dataclasses import dataclass

from agents.kafka.log_reader import LogReader
from agents.kafka.pause_record import pause_record
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.skips import skip_output
from agents.kafka.topics import required_deployment, write
from agents.settings import Settings
from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS
from sinks.redis.client import connect
from sinks.redis.scoring_store import RedisScoringStore
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.errors import SettingError, TidecastError, Undecodable
from streams.identity import Position
from streams.keys import Keys
from streams.log import Output, Record, TopicPartition
from streams.scoring.intake import CONTROLS
from streams.timeline import PartitionHeader


def set_paused(settings: Settings, paused: bool, reason: str, writer: str) -> int:
    """Write a record to every partition that stops its time or lets it go on; return the number of partitions."""
    deployment = required_deployment(settings)
    keys, states = keys_of(settings, deployment), _states(settings, deployment)
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        outputs = [
            Output(
                CUSTOMER_EVENTS,
                partition,
                None,
                pause_record(codec, keys, partition, header, paused, False, reason, writer),
            )
            for partition, (_, header) in states.items()
        ]
        write(settings, outputs)
    return len(outputs)


@dataclass(frozen=True, slots=True)
class Poisoned:
    """The control record at which scoring stands. name: of the record; "" for bytes that are none of ours."""

    place: TopicPartition
    record: Record
    name: str
    fields: object


def poisoned(settings: Settings, partition: int, offset: int) -> Poisoned:
    """Return the record of that place, if it may be passed over. Raises TidecastError where it may not.

    Only the record at which scoring stands may be: what was worked on already cannot be undone, and what comes later
    may yet pass. Only control records may be: an event is a customer's."""
    states = _states(settings, required_deployment(settings))
    if partition not in states:
        raise TidecastError(f"There is no partition {partition}: {CUSTOMER_EVENTS} has {len(states)}, from 0.")
    position, _ = states[partition]
    if position != Position(offset):
        raise TidecastError(
            f"Scoring stands at offset {position.offset} of {CUSTOMER_EVENTS}[{partition}], not at the beginning of "
            f"{offset}: only the record at which it stands can be passed over (see `tidecast status --partitions`)."
        )
    place = TopicPartition(CUSTOMER_EVENTS, partition)
    with LogReader(settings) as reader, HttpRegistry(settings) as registry:
        record = next(iter(reader.read(place, offset, offset + 1)), None)
        if record is None or record.offset != offset:
            raise TidecastError(f"{CUSTOMER_EVENTS}[{partition}] holds no record at offset {offset}: nothing is stuck.")
        name, fields = _decoded(Codec(registry, load_schemas()), record)
    if name not in CONTROLS or record.key is not None:
        raise TidecastError(
            f"{CUSTOMER_EVENTS}[{partition}] holds {name or 'no record of ours'} at offset {offset}: only control "
            "records can be passed over. All others go on by themselves when what scoring waits for is back."
        )
    return Poisoned(place, record, name, fields)


def skip(settings: Settings, found: Poisoned, reason: str, writer: str) -> None:
    """Write the record that passes over a control record. Scoring reads it when its workers start."""
    place = (found.place.partition, found.record.offset)
    keys = keys_of(settings, required_deployment(settings))
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        write(settings, [skip_output(codec, keys, *place, reason, writer)])


def keys_of(settings: Settings, deployment: Deployment) -> Keys:
    """Return the keys that sign commands in this log. Raises SettingError for those of a publisher of ticks."""
    keys = settings.keys.of_log(deployment.epoch)
    if not keys.checks_control:
        raise SettingError("TIDECAST_TICK_KEYS are for publishers; set TIDECAST_SIGNING_KEYS here.")
    return keys.in_force(deployment.keys)


def _states(settings: Settings, deployment: Deployment) -> dict[int, tuple[Position, PartitionHeader]]:
    """Return scoring's position and state of every partition of the deployed log."""
    store = RedisScoringStore(connect(**settings.redis()), deployment.epoch, settings.topic_prefix)
    found = store.positions(range(deployment.partitions))
    states = {partition: (position, PartitionHeader.unpack(packed)) for partition, (position, packed) in found.items()}
    new = (Position(0), PartitionHeader())
    return {partition: states.get(partition, new) for partition in range(deployment.partitions)}


def _decoded(codec: Codec, record: Record) -> tuple[str, object]:
    try:
        return codec.decode(record.value)
    except Undecodable:
        return "", None
