"""Deploys a use case: creates topics, registers schemas, and writes the definitions as records into the logs."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.fingerprint import running
from agents.kafka.schema_registry import HttpRegistry, SchemaConflict
from agents.kafka.topics import CURRENT, Logs, current_deployment, first_value, missing, write
from agents.operations.backlog import refuse_backlog
from agents.settings import Settings
from schemas.catalog import Schema, load_schemas
from schemas.compatibility import change_problems
from schemas.forms import unsafe_reason
from schemas.records import DEPLOYMENT, DeploymentRecord
from schemas.topics import CUSTOMER_EVENTS, DEFAULT_PARTITIONS, DEPLOYMENTS, LABELLED_EXAMPLES, TOPICS
from streams.avro.codec import Codec
from streams.control import sign
from streams.deployment import Deployment, changes, definitions_of, deploy_of, differences
from streams.errors import DeploymentMismatch, SettingError, TidecastError, Undecodable
from streams.log import Output


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` did.

    deployment: the deployment in force; written: whether it was written now.
    topics, schemas: names that were created or registered for the first time.
    changes: differences from the former definitions; warnings: differences that stop no worker."""

    deployment: Deployment
    written: bool
    topics: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def deploy(
    settings: Settings, use_case: Any, partitions: int | None = None, retention_ms: int | None = None
) -> Deployed:
    """Register schemas, create topics and write the definitions, each only where needed.

    partitions: of customer-events, for new logs only (default 4).
    retention_ms: of the topics that are otherwise kept for ever.

    It is safe to run again after an interruption. Raises a TidecastError with a remedy when the logs, the schemas or
    River's version do not allow it."""
    logs = Logs(settings)
    there = logs.partitions()
    before = current_deployment(settings)
    _whole(settings, there, before)
    if before is not None:
        _same_river(before)
        _same_use_case(before, use_case)
    _register(settings, {**load_schemas(), **use_case.schemas})
    count = partitions or there.get(CUSTOMER_EVENTS, DEFAULT_PARTITIONS)
    created = logs.create(count, retention_ms)
    if retention_ms is not None and there:
        logs.keep(retention_ms)
    warnings = differences(before.fingerprint, running()) if before else []
    if before is not None and before.definitions == definitions_of(use_case):
        return Deployed(before, False, created, [], warnings)
    if before is not None:
        refuse_backlog(settings)
    deployment = _next_deployment(settings, use_case, count, before)
    _write(settings, deployment)
    changed = changes(before.definitions, deployment.definitions) if before else []
    return Deployed(deployment, True, created, changed, warnings)


def _whole(settings: Settings, there: Mapping[str, int], before: Deployment | None) -> None:
    """Refuse a system whose topics were deleted in part: the meaning of their offsets is lost."""
    gone = missing(there)
    remedy = "restore it, or delete all topics of this system, or choose another TIDECAST_TOPIC_PREFIX"
    if before is not None:
        empty = [name for name in (CUSTOMER_EVENTS, LABELLED_EXAMPLES) if not _begun(settings, name, there)]
        for name in [*gone, *empty]:
            raise TidecastError(
                f"The topic {settings.topic(name)} was deleted although a deployment is in force; {remedy}."
            )
        return
    for name in (CUSTOMER_EVENTS, LABELLED_EXAMPLES):
        if gone and name in there and any(_filled(settings, name, there)):
            raise TidecastError(
                f"The topic {settings.topic(name)} has records but {settings.topic(gone[0])} is missing; {remedy}."
            )


def _filled(settings: Settings, name: str, there: Mapping[str, int]) -> list[bool]:
    """Return, per partition of a topic, whether anything was ever written to it."""
    return [high > 0 for _, high in Logs(settings).ends(name, there[name])]


def _begun(settings: Settings, name: str, there: Mapping[str, int]) -> bool:
    return name not in there or all(_filled(settings, name, there))


def _same_river(before: Deployment) -> None:
    if before.river_version != running().river:
        raise DeploymentMismatch(
            f"The deployment in force was made with River {before.river_version}, here is {running().river}; "
            f"install river=={before.river_version}."
        )


def _same_use_case(before: Deployment, use_case: Any) -> None:
    if before.use_case != use_case.name:
        raise DeploymentMismatch(
            f"These logs belong to the use case {before.use_case}; deploy {use_case.name} into logs of its own "
            "with another TIDECAST_TOPIC_PREFIX."
        )


def _register(settings: Settings, wanted: Mapping[str, Schema]) -> None:
    """Register all schemas. Raises SchemaConflict, before anything is registered, when one is not acceptable."""
    with HttpRegistry(settings) as registry:
        known = {name: registry.versions(name) for name in wanted}
        for name, schema in wanted.items():
            fault = unsafe_reason(schema)
            if fault:
                raise SchemaConflict(f"The schema {name} is not accepted: {fault}")
            for number, old in enumerate(known[name], 1):
                for problem in change_problems(schema, old):
                    raise SchemaConflict(
                        f"The schema {name} cannot follow its registered version {number}: {problem} "
                        "Give new fields a default and keep the types of old ones."
                    )
        for name, schema in wanted.items():
            registry.register(name, schema)
            if not known[name]:
                registry.require(name)


def _next_deployment(settings: Settings, use_case: Any, count: int, before: Deployment | None) -> Deployment:
    now_ms = int(time.time() * 1000)  # also greater than the number of an interrupted deploy, which is not in the index
    if before is not None:
        number = max(before.number + 1, now_ms)
        made = deploy_of(use_case, before.epoch, count, before.target_partitions, running(), number)
    else:
        epoch = _begun_epoch(settings, count) or now_ms // 1000
        made = deploy_of(use_case, epoch, count, {}, running(), now_ms)
    most = TOPICS[LABELLED_EXAMPLES].count(count)
    if len(made.target_partitions) > most:
        raise SettingError(
            f"There would be {len(made.target_partitions)} targets in this log and there is room for {most}; "
            "start a new log with another TIDECAST_TOPIC_PREFIX."
        )
    return made


def _begun_epoch(settings: Settings, count: int) -> int | None:
    """Return the epoch of a first deployment that was interrupted. Raises TidecastError when a log begins otherwise."""
    epochs = set()
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        for topic in (CUSTOMER_EVENTS, LABELLED_EXAMPLES):
            for partition, (_, high) in enumerate(Logs(settings).ends(topic, TOPICS[topic].count(count))):
                if high > 0:
                    epochs.add(_first_epoch(settings, codec, topic, partition))
    return max(epochs, default=None)


def _first_epoch(settings: Settings, codec: Codec, topic: str, partition: int) -> int:
    try:
        name, record = codec.decode(first_value(settings, topic, partition))
        if name == DEPLOYMENT:
            deployment: DeploymentRecord = record
            return deployment["epoch"]
    except Undecodable:
        pass
    raise TidecastError(
        f"Partition {partition} of {settings.topic(topic)} has records but does not begin with a deployment; "
        "delete the topics of this system, or choose another TIDECAST_TOPIC_PREFIX, and deploy before publishing."
    )


def _write(settings: Settings, deployment: Deployment) -> None:
    """Write the deployment to every partition of the logs it governs, and last to the index."""
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        write(settings, list(_records(settings, codec, deployment)))
        write(settings, [_signed(settings, codec, deployment, DEPLOYMENTS, 0, CURRENT)])


def _records(settings: Settings, codec: Codec, deployment: Deployment) -> Iterator[Output]:
    for topic in (LABELLED_EXAMPLES, CUSTOMER_EVENTS):
        for partition in range(TOPICS[topic].count(deployment.partitions)):
            yield _signed(settings, codec, deployment, topic, partition, None)


def _signed(
    settings: Settings, codec: Codec, deployment: Deployment, topic: str, partition: int, key: bytes | None
) -> Output:
    record = sign(DEPLOYMENT, deployment.to_record(), settings.signing_bytes, topic, partition)
    return Output(topic, partition, key, codec.encode(DEPLOYMENT, record))
