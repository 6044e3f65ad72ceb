"""The settings of a run, passed to the worker process on its command line."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Addresses and names. `prefix` starts the names of all topics, groups, subjects and keys of the run."""

    kafka: str
    redis: str
    prefix: str
    partitions: int
    events: int
    prediction_id: int = 0

    @property
    def events_topic(self) -> str:
        """The input topic."""
        return f"{self.prefix}events"

    @property
    def predictions_topic(self) -> str:
        """The output topic."""
        return f"{self.prefix}predictions"

    @property
    def group(self) -> str:
        """Consumer group; Faust's app id."""
        return f"{self.prefix}scoring"

    def to_json(self) -> str:
        """Return the settings as JSON, for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RunSettings":
        """Return the settings from a command line."""
        return cls(**json.loads(text))
