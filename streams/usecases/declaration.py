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

    name: name of the use case, and namespace of its event schemas.
    features: what is computed of each customer.
    targets: the questions.
    clock: who writes the ticks of its log: the workers, by the wall clock ("wall"), or the publisher ("external":
    simulations, imports).
    allowed_lateness: how far an event may lie behind its partition's last tick.
    tick_every: time between two ticks on a wall clock. What falls due between two ticks is worked off at once, before
    the events behind it.
    pause_after: silence of the whole stream after which a worker pauses time on a wall clock, so that it is not learnt
    as customers leaving, or "never". None: a quarter of the shortest horizon, or three times the longest silence that
    the worker has seen, whichever is longer.
    max_ahead: how far an event may lie ahead of its partition's last tick or its Kafka timestamp, whichever is later.
    profile_window: length of the windows of event time that monitoring compares.
    reference_windows: number of complete windows with which later ones are compared.
    warm_up_windows: number of windows before those that are left out, because features of long windows still fill.
    false_alarms: expected number of false alarms per merged window, over all features and tests.
    events: Avro schema per short name. The loader fills it."""

    name: str
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]
    clock: Literal["wall", "external"] = "wall"
    allowed_lateness: str = "1h"
    tick_every: str = "250ms"
    pause_after: str | None = None
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
