"""What a worker is told when it starts."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Where everything is. prefix: before the names of all topics, groups, subjects and keys of a run."""

    kafka: str
    redis: str
    prefix: str
    partitions: int
    events: int
    prediction_id: int = 0

    @property
    def events_topic(self) -> str:
        """What is read."""
        return f"{self.prefix}events"

    @property
    def predictions_topic(self) -> str:
        """What is written."""
        return f"{self.prefix}predictions"

    @property
    def group(self) -> str:
        """Consumer group, or Faust's app id."""
        return f"{self.prefix}scoring"

    def to_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RunSettings":
        """From the command line."""
        return cls(**json.loads(text))
