"""Publishes events and, where the use case's clock is external, the ticks of that clock."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.sender import Sender
from agents.kafka.topics import required_deployment
from agents.preflight.beginning import refuse_void
from agents.settings import Settings
from schemas.catalog import Event, Schema, load_schemas
from schemas.records import TICK, OutcomeRecord, TickRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.control import MARK_HEADER, sign
from streams.errors import DeploymentMismatch, SettingError
from streams.partitioner import partition_of

ADVICE = "Publish the same records again: those that Kafka has are dropped as duplicates."


class Published(Protocol):
    """What publishing needs to know of a use case. A UseCase fits."""

    @property
    def name(self) -> str:
        """Namespace of its events."""
        ...

    @property
    def clock(self) -> str:
        """`wall` or `external`."""
        ...

    @property
    def schemas(self) -> Mapping[str, Schema]:
        """Avro schema of each event by full name."""
        ...

    def event_full_name(self, short: str) -> str:
        """Return `telecom.Call` for "Call"."""
        ...


class EventPublisher:
    """Publishes to customer-events; a customer's records keep the order of the calls. A context manager.

    Raises DeploymentMismatch when another use case is deployed, LogGap when customer-events was deleted and made again,
    and Unavailable when Kafka or the registry is away. Records that were not acknowledged by then may be published
    again: their ids make it harmless."""

    def __init__(self, settings: Settings, use_case: Published, writer: str = "publish") -> None:
        """`writer` is recorded in the ticks as their author."""
        self._use_case = use_case
        self._writer = writer
        deployment = self.deployment = required_deployment(settings)
        if deployment.use_case != use_case.name:
            raise DeploymentMismatch(
                f"{deployment.use_case} is deployed here, not {use_case.name}; deploy {use_case.name}, "
                "or name the right use case."
            )
        refuse_void(settings, deployment)
        self._keys = settings.keys.of_log(deployment.epoch).in_force(deployment.keys)
        self._registry = HttpRegistry(settings)
        self.codec = Codec(self._registry, {**load_schemas(), **use_case.schemas})
        self._partitions = deployment.partitions
        self._partition = lru_cache(maxsize=200_000)(lambda customer: partition_of(customer, deployment.partitions))
        self._sender = Sender(settings, CUSTOMER_EVENTS, ADVICE)

    def __enter__(self) -> "EventPublisher":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._registry.close()

    @property
    def writes_ticks(self) -> bool:
        """Whether the clock is external, so that the publisher writes the ticks."""
        return self._use_case.clock == "external"

    def publish(self, name: str, record: Event | OutcomeRecord) -> None:
        """Publish an event by its short or full name, or an outcome (schemas.records.OUTCOME).

        Raises Undecodable when a field does not fit the schema. Returns before the broker has the record: see
        `flush`."""
        full = name if "." in name else self._use_case.event_full_name(name)
        value = self.codec.encode(full, record)
        self.send(record["customer_id"], value)

    def send(self, customer_id: str, value: bytes) -> None:
        """Publish an encoded record."""
        self._sender.send(value, key=customer_id.encode(), partition=self._partition(customer_id))

    def tick(self, time_ms: int, gap: bool = False) -> None:
        """Write a tick to every partition: all events up to `time_ms` are published. `gap`: none since the last tick.

        Raises SettingError when the workers write the ticks of this log (clock "wall")."""
        if not self.writes_ticks:
            raise SettingError(
                f"The clock of {self._use_case.name} is 'wall': its workers write the ticks; "
                'declare clock="external" to write them yourself.'
            )
        record: TickRecord = {"time": time_ms, "writer": self._writer, "signature": None, "gap": gap or None}
        for partition in range(self._partitions):
            signed = sign(TICK, record, self._keys, CUSTOMER_EVENTS, partition)
            self._sender.send(self.codec.encode(TICK, signed), key=None, partition=partition, headers=[MARK_HEADER])

    def poll(self, seconds: float) -> None:
        """Receive acknowledgements for that many seconds."""
        self._sender.poll(seconds)

    def flush(self) -> None:
        """Wait until the broker has everything. Raises Unavailable when it does not accept it."""
        self._sender.flush()
