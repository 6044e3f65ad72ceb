"""Reads the stores and logs of a running system."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from agents.kafka.log_ends import LogEnds, open_transaction
from agents.kafka.log_reader import LogReader
from agents.kafka.schema_registry import HttpRegistry
from agents.settings import Settings
from agents.stages import STAGES
from agents.wiring import Wiring, connect_system
from schemas.catalog import Decoded, load_schemas
from streams.avro.codec import Codec
from streams.log import TopicPartition


class RememberingCodec(Codec):
    """Decodes a record once for several checks. No check may change a decoded record."""

    def decode(self, value: bytes | None, expected: Container[str] | None = None) -> tuple[str, Decoded]:
        """See Codec."""
        found = self._decoded.get(value)
        if found is None or (expected is not None and found[0] not in expected):
            found = self._decoded[value] = super().decode(value, expected)
        return found

    def forget(self) -> None:
        """Start another batch."""
        self._decoded: dict[bytes | None, tuple[str, Decoded]] = {}


@dataclass
class Live(Wiring):
    """A system whose stores and logs are only read."""

    reader: LogReader

    @cached_property
    def codec(self) -> RememberingCodec:
        """One for all checks."""
        codec = RememberingCodec(HttpRegistry(self.settings), load_schemas() | self.use_case.schemas)
        codec.forget()
        return codec

    def places(self, topic: str) -> list[TopicPartition]:
        """Return the deployed partitions of a topic."""
        return [place for place in self.reader.partitions(topic) if self.deployment.owns(*place)]

    def held_back(self) -> list[str]:
        """Return the open transactions behind which records cannot be read, and so not compared."""
        topics = {topic for row in STAGES.values() for topic in row.topics}
        ends = LogEnds(self.settings).of([place for topic in topics for place in self.places(topic)])
        kafka, prefix = self.settings.kafka, self.settings.topic_prefix
        return [
            open_transaction("The comparison", place, end.readable, kafka, prefix)
            for place, end in sorted(ends.items())
            if end.readable < end.high
        ]

    def state(self) -> object:
        """Return scoring's positions and the ends of the logs, which change when anything is processed."""
        positions = self.scoring_store.positions(range(self.deployment.partitions))
        topics = {topic for row in STAGES.values() if row.store.is_rebuilt for topic in row.topics}
        ends = {place: self.reader.bounds(place)[1] for topic in topics for place in self.places(topic)}
        return ({p: position for p, (position, _) in positions.items()}, ends)


@contextmanager
def connect(settings: Settings, use_case: str | None) -> Iterator[Live]:
    """Connect to the system. Raises SettingError when nothing is deployed."""
    wiring = connect_system(settings, use_case)
    with LogReader(settings) as reader:
        yield Live(settings, wiring.use_case, wiring.deployment, reader)
