"""Reads the stores and logs of a running system."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agents.kafka.log_reader import LogReader
from agents.kafka.schema_registry import HttpRegistry
from agents.settings import Settings
from agents.wiring import connect_system
from schemas.catalog import Decoded, load_schemas
from schemas.topics import CUSTOMER_EVENTS, FEATURE_PROFILES, LABELLED_EXAMPLES, PREDICTIONS
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.log import TopicPartition
from streams.models.store import ModelStore
from streams.state.store import ScoringStore, StageStore
from streams.usecases import UseCase


class RememberingCodec(Codec):
    """Decodes a record once for several checks. No check may change a decoded record."""

    _decoded: dict[bytes | None, tuple[str, Decoded]]

    def decode(self, value: bytes | None, expected: Container[str] | None = None) -> tuple[str, Decoded]:
        """See Codec."""
        found = self._decoded.get(value)
        if found is None or (expected is not None and found[0] not in expected):
            found = self._decoded[value] = super().decode(value, expected)
        return found

    def forget(self) -> None:
        """Start another batch."""
        self._decoded = {}


@dataclass
class Live:
    """The stores and logs of a system, read-only."""

    settings: Settings
    use_case: UseCase
    deployment: Deployment
    codec: RememberingCodec
    scoring: ScoringStore
    stages: StageStore
    models: ModelStore
    reader: LogReader

    @property
    def signing_key(self) -> bytes:
        """The key that signs control records and snapshots."""
        return self.settings.signing_bytes

    def places(self, topic: str) -> list[TopicPartition]:
        """Return all partitions of a topic."""
        return self.reader.partitions(topic)

    def state(self) -> object:
        """Return scoring's positions and the ends of the logs, which change when anything is processed."""
        positions = self.scoring.positions(range(self.deployment.partitions))
        topics = (CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS, FEATURE_PROFILES)
        ends = {place: self.reader.bounds(place)[1] for topic in topics for place in self.places(topic)}
        return ({p: position for p, (position, _) in positions.items()}, ends)


@contextmanager
def connect(settings: Settings, use_case: str | None) -> Iterator[Live]:
    """Connect to the system; SettingError when nothing is deployed."""
    wiring = connect_system(settings, use_case)
    codec = RememberingCodec(HttpRegistry(settings), load_schemas() | wiring.use_case.schemas)
    codec.forget()
    with LogReader(settings) as reader:
        yield Live(
            settings,
            wiring.use_case,
            wiring.deployment,
            codec,
            wiring.scoring_store,
            wiring.stage_store,
            wiring.models,
            reader,
        )
