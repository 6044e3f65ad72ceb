"""What publishing needs to know of a use case, from its declaration or from the deployment in force."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import Settings
from schemas.catalog import Schema
from streams.errors import SettingError
from streams.features.window import duration_ms
from streams.usecases import UseCase


@dataclass(frozen=True, slots=True)
class PublishedEvents:
    """Name, clock and event schemas of a use case; target → kind; the allowed lateness, ms."""

    name: str
    clock: str
    schemas: Mapping[str, Schema]
    targets: Mapping[str, str]
    lateness: int

    def event_full_name(self, short: str) -> str:
        """Return `telecom.Call` for "Call"."""
        return f"{self.name}.{short}"


def declared_events(use_case: UseCase) -> PublishedEvents:
    """Return what a declaration says."""
    targets = {target.name: target.kind for target in use_case.targets}
    lateness = duration_ms(use_case.allowed_lateness)
    return PublishedEvents(use_case.name, use_case.clock, use_case.schemas, targets, lateness)


def deployed_events(settings: Settings) -> PublishedEvents:
    """Read the deployment record and the registry. Raises SettingError when nothing is deployed.

    No use-case module has to be at hand."""
    deployment = required_deployment(settings)
    definitions = json.loads(deployment.definitions)
    schemas: dict[str, Schema] = {}
    with HttpRegistry(settings) as registry:
        for short in definitions["events"]:
            name = f"{deployment.use_case}.{short}"
            versions = registry.versions(name)
            if not versions:
                raise SettingError(f"The registry has no schema {name}; run `tidecast deploy` again.")
            schemas[name] = versions[-1]
    targets = {target["name"]: target["kind"] for target in definitions["targets"]}
    lateness = duration_ms(definitions["allowed_lateness"])
    return PublishedEvents(deployment.use_case, definitions["clock"], schemas, targets, lateness)
