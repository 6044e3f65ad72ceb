"""A use case: the events, features and targets of one industry or one company."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.catalog import Schema
from streams.features.feature import Feature
from streams.targets.declaration import Target


@dataclass(frozen=True)
class UseCase:
    """Everything that decides results. Batch sizes, addresses and the like are settings instead.

    name: also the namespace of its event schemas. clock: who writes the ticks of its log, the workers by the
    wall clock or the publisher ("external": simulations, imports). allowed_lateness: how far an event may
    trail its partition's last tick. tick_every: on a wall clock; what falls due between two ticks is worked off
    at once, before the events behind it. max_ahead: how far it may be ahead of it. profile_window: window of event time
    that monitoring compares with the first `reference_windows` complete ones, after `warm_up_windows` in which features
    of long windows still fill. false_alarms: expected number of them
    per merged window, over all features and tests. events: Avro schema per short name, filled by the loader."""

    name: str
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]
    clock: Literal["wall", "external"] = "wall"
    allowed_lateness: str = "1h"
    tick_every: str = "250ms"
    max_ahead: str = "1d"
    profile_window: str = "1d"
    reference_windows: int = 7
    warm_up_windows: int = 0
    false_alarms: float = 0.01
    events: Mapping[str, Schema] = field(default_factory=dict)

    def event_full_name(self, short: str) -> str:
        """Return `telecom.Call` for "Call"."""
        return f"{self.name}.{short}"

    @property
    def schemas(self) -> dict[str, Schema]:
        """Return the Avro schema of each event by full name."""
        return {self.event_full_name(short): schema for short, schema in self.events.items()}
