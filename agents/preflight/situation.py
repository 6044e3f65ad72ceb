"""The system that the check looks at, and the moment at which it does."""

from copy import copy
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from agents.kafka.log_reader import LogReader
from agents.kafka.topic_settings import TopicSettings, kept_ms
from agents.kafka.topics import Logs
from agents.settings import Settings
from agents.stages import STAGES
from agents.wiring import Wiring
from schemas.catalog import load_schemas
from schemas.topics import FOREVER
from streams.avro.codec import Codec, MemoryRegistry
from streams.deployment import Deployment
from streams.usecases import UseCase


class Moment(Enum):
    """When the check is made."""

    DEPLOY = "before anything is written"
    START = "before a worker starts"
    STATUS = "for tidecast status"
    RUNNING = "now and then beside a running worker"


@dataclass
class Situation:
    """A system under a deployment: the one in force, or the one that is about to be written.

    before: the deployment in force; None before the first. retention_ms: asked for at the first deployment, of the
    topics that are otherwise kept for ever. stages: names of the stages that are to run."""

    settings: Settings
    use_case: UseCase
    deployment: Deployment
    before: Deployment | None
    moment: Moment
    retention_ms: int | None = None
    stages: tuple[str, ...] = field(default_factory=lambda: tuple(STAGES))

    @classmethod
    def of(cls, wiring: Wiring, moment: Moment, stages: tuple[str, ...] = tuple(STAGES)) -> "Situation":
        """Return that of a system in force."""
        parts = (wiring.settings, wiring.use_case, wiring.deployment, wiring.deployment, moment)
        return cls(*parts, stages=stages)

    def again(self) -> "Situation":
        """Return the same system, to be looked at anew over the same clients."""
        other = copy(self)
        for seen in ("partitions", "found_settings"):
            other.__dict__.pop(seen, None)
        return other

    @cached_property
    def wiring(self) -> Wiring:
        """Stores and stages under the deployment. Its codec needs no registry: nothing is decoded."""
        wiring = Wiring(self.settings, self.use_case, self.deployment)
        wiring.codec = Codec(MemoryRegistry(), load_schemas() | self.use_case.schemas)
        return wiring

    @cached_property
    def logs(self) -> Logs:
        """Our topics."""
        return Logs(self.settings)

    @cached_property
    def partitions(self) -> dict[str, int]:
        """Number of partitions of our existing topics, by logical name."""
        return self.logs.partitions()

    @cached_property
    def topic_settings(self) -> TopicSettings:
        """Our topics' settings on the broker."""
        return TopicSettings(self.settings)

    @cached_property
    def found_settings(self) -> dict[str, dict[str, str]]:
        """The settings of our existing topics, by logical name."""
        return self.topic_settings.read(self.partitions)

    @property
    def forever_ms(self) -> int:
        """The retention that the topics should have that are otherwise kept for ever, ms; -1 for ever."""
        if self.before is not None:
            return kept_ms(self.found_settings)
        return FOREVER if self.retention_ms is None else self.retention_ms

    def reader(self) -> LogReader:
        """Open a reader of the logs."""
        return LogReader(self.settings)
