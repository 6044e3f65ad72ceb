"""What publishing needs to know of the deployed use case. No use-case module has to be at hand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import Settings
from schemas.catalog import Schema
from streams.errors import SettingError


@dataclass(frozen=True, slots=True)
class DeployedEvents:
    """Name, clock and event schemas of the use case in force."""

    name: str
    clock: str
    schemas: Mapping[str, Schema]

    def event_full_name(self, short: str) -> str:
        """Return `telecom.Call` for "Call"."""
        return f"{self.name}.{short}"


def deployed_events(settings: Settings) -> DeployedEvents:
    """Read the deployment record and the registry. Raises SettingError when nothing is deployed."""
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
    return DeployedEvents(deployment.use_case, definitions["clock"], schemas)
