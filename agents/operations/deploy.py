"""Deploys a use case: checks that every stage can go on, then creates topics, registers schemas, and writes the
definitions as records into the logs."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.fingerprint import running
from agents.kafka.schema_registry import HttpRegistry, SchemaConflict
from agents.kafka.topics import CURRENT, Logs, current_deployment, first_values, missing, require_keys, write
from agents.preflight import Moment, Severity, Situation, ask, refuse
from agents.preflight.topics import changes as unfit_settings
from agents.settings import Settings
from schemas.catalog import Schema, load_schemas
from schemas.compatibility import change_problems, growth_problems
from schemas.forms import unsafe_reason
from schemas.records import DEPLOYMENT, DeploymentRecord
from schemas.topics import CUSTOMER_EVENTS, DEFAULT_PARTITIONS, DEPLOYMENTS, LABELLED_EXAMPLES, TOPICS
from streams.avro.codec import Codec
from streams.control import sign
from streams.deployment import Deployment, changes, definitions_of, deploy_of, differences
from streams.errors import DeploymentMismatch, SettingError, TidecastError, Undecodable
from streams.keys import Keys
from streams.log import Output


@dataclass(frozen=True, slots=True)
class Deployed:
    """What `deploy` did.

    deployment: the deployment in force; written: whether it was written now.
    topics, schemas: names that were created or registered for the first time. fixed: topics whose settings changed.
    changes: differences from the former definitions; warnings: differences and findings that stop no worker."""

    deployment: Deployment
    written: bool
    topics: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)


def deploy(
    settings: Settings,
    use_case: Any,
    partitions: int | None = None,
    retention_ms: int | None = None,
    fix_topics: bool = False,
) -> Deployed:
    """Register schemas, create topics and write the definitions, each only where needed. See DeploymentPlan."""
    return DeploymentPlan(settings, use_case, partitions, retention_ms, fix_topics).carry_out()


class DeploymentPlan:
    """A deployment that was checked and can be carried out.

    It is safe to plan and carry out again after an interruption."""

    def __init__(
        self,
        settings: Settings,
        use_case: Any,
        partitions: int | None = None,
        retention_ms: int | None = None,
        fix_topics: bool = False,
    ) -> None:
        """Check everything; nothing is written. Raises a TidecastError with a remedy when a stage could not go on.

        partitions: of customer-events, for new logs only (default 4).
        retention_ms: of the topics that are otherwise kept for ever.
        fix_topics: change settings of topics that somebody else made or changed."""
        self._settings = settings
        self._use_case = use_case
        self._retention_ms = retention_ms
        self._fix = fix_topics
        require_keys(settings)
        self._logs = Logs(settings)
        there = self._logs.partitions()
        before = self._before = current_deployment(settings)
        if before is not None:
            _same_river(before)
            _same_use_case(before, use_case)
            _same_partitions(settings, before, partitions)
        else:
            _refuse_remains(settings, there)
        self._schemas: Mapping[str, Schema] = {**load_schemas(), **use_case.schemas}
        _check_schemas(settings, self._schemas)
        self._count = before.partitions if before else partitions or there.get(CUSTOMER_EVENTS, DEFAULT_PARTITIONS)
        self._same = before is not None and before.definitions == definitions_of(use_case)
        self._next = _next_deployment(settings, use_case, self._count, before, there)
        keys = settings.keys.names()
        self._in_force = before is not None and self._same and before.keys == keys
        if before is not None and self._same:
            number = before.number if self._in_force else self._next.number
            self._next = dataclasses.replace(before, number=number)
        self._next = dataclasses.replace(self._next, keys=keys)
        self._situation = Situation(settings, use_case, self._next, before, Moment.DEPLOY, retention_ms)
        self._found = ask(self._situation)
        self._refuse()

    def _refuse(self) -> None:
        if self._fix:
            self._found = [each for each in self._found if (each.check, each.severity) not in FIXED]
        refuse(self._found, Severity.STOPS, *([] if self._same else [Severity.HARMS]))

    def carry_out(self) -> Deployed:
        """Write what was planned."""
        settings, before = self._settings, self._before
        fixed = self._fix_topics() if self._fix else []
        _register(settings, self._schemas)
        created = self._logs.create(self._count, self._retention_ms)
        if self._retention_ms is not None and self._situation.partitions:
            self._logs.keep(self._retention_ms)
        warnings = [each.text for each in self._found]
        if before is not None:
            warnings = [*differences(before.fingerprint, running()), *warnings]
        if self._in_force:
            return Deployed(self._next, False, created, [], warnings, fixed)
        _write(settings, self._next, before)
        changed = changes(before.definitions, self._next.definitions) if before else []
        return Deployed(self._next, True, created, changed, warnings, fixed)

    def _fix_topics(self) -> list[str]:
        """Give existing topics the settings, and before the first deployment the partitions, that they need."""
        unfit = unfit_settings(self._situation)
        self._situation.topic_settings.change(unfit)
        fixed = set(unfit)
        for name, count in self._situation.partitions.items() if self._before is None else ():
            if count < TOPICS[name].count(self._count):
                self._logs.grow(name, TOPICS[name].count(self._count))
                fixed.add(name)
        return sorted(fixed)


FIXED = {("topic settings", Severity.HARMS), ("partitions", Severity.HARMS)}
"""Findings that --fix-topics mends."""


def _same_partitions(settings: Settings, before: Deployment, partitions: int | None) -> None:
    if partitions not in (None, before.partitions):
        raise SettingError(
            f"The topic {settings.topic(CUSTOMER_EVENTS)} was deployed with {before.partitions} partitions, not "
            f"{partitions}; their number is fixed for the life of a log: deploy without --partitions, or into new "
            "topics, with another TIDECAST_TOPIC_PREFIX."
        )


def _refuse_remains(settings: Settings, there: Mapping[str, int]) -> None:
    """Refuse the remains of a system whose topics were deleted in part: the meaning of their offsets is lost."""
    gone = missing(there)
    for name in (CUSTOMER_EVENTS, LABELLED_EXAMPLES):
        if gone and name in there and any(high > 0 for _, high in Logs(settings).ends(name, there[name])):
            raise TidecastError(
                f"The topic {settings.topic(name)} has records but {settings.topic(gone[0])} is missing; restore it, "
                "or delete all topics of this system, or choose another TIDECAST_TOPIC_PREFIX."
            )


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


def _check_schemas(settings: Settings, wanted: Mapping[str, Schema]) -> None:
    """Raise SchemaConflict when a schema is not acceptable."""
    ours = load_schemas()
    with HttpRegistry(settings) as registry:
        for name, schema in wanted.items():
            fault = unsafe_reason(schema)
            if fault:
                raise SchemaConflict(f"The schema {name} is not accepted: {fault}")
            for number, old in enumerate(registry.versions(name), 1):
                for problem in (change_problems if name in ours else growth_problems)(schema, old):
                    raise SchemaConflict(
                        f"The schema {name} cannot follow its registered version {number}: {problem} "
                        "Give new fields a default, keep the fields and symbols of before, and widen types at most."
                    )


def _register(settings: Settings, wanted: Mapping[str, Schema]) -> None:
    ours = load_schemas()
    with HttpRegistry(settings) as registry:
        known = {name: registry.versions(name) for name in wanted}
        for name, schema in wanted.items():
            (registry.register if name in ours else registry.adopt)(name, schema)
            if not known[name]:
                registry.require(name)


def _next_deployment(
    settings: Settings, use_case: Any, count: int, before: Deployment | None, there: Mapping[str, int]
) -> Deployment:
    now_ms = int(time.time() * 1000)  # also greater than the number of an interrupted deploy, which is not in the index
    if before is not None:
        number = max(before.number + 1, now_ms)
        former = tuple(dict.fromkeys((*before.former, before.deployment_id)))
        return deploy_of(use_case, before.epoch, count, before.target_partitions, running(), number, former)
    epoch = _begun_epoch(settings, count, there) or now_ms // 1000
    return deploy_of(use_case, epoch, count, {}, running(), now_ms)


def _begun_epoch(settings: Settings, count: int, there: Mapping[str, int]) -> int | None:
    """Return the epoch of a first deployment that was interrupted. Raises TidecastError when a log begins otherwise."""
    epochs = set()
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        for topic in (CUSTOMER_EVENTS, LABELLED_EXAMPLES):
            bounds = Logs(settings).ends(topic, min(there.get(topic, 0), TOPICS[topic].count(count)))
            firsts = first_values(settings, topic, bounds) if bounds else []
            for partition, ((_, high), first) in enumerate(zip(bounds, firsts, strict=True)):
                if high > 0:
                    epochs.add(_first_epoch(settings, codec, topic, partition, first))
    return max(epochs, default=None)


def _first_epoch(settings: Settings, codec: Codec, topic: str, partition: int, first: bytes | None) -> int:
    try:
        name, record = codec.decode(first)
        if name == DEPLOYMENT:
            deployment: DeploymentRecord = record
            return deployment["epoch"]
    except Undecodable:
        pass
    raise TidecastError(
        f"Partition {partition} of {settings.topic(topic)} has records but does not begin with a deployment; "
        "delete the topics of this system, or choose another TIDECAST_TOPIC_PREFIX, and deploy before publishing."
    )


def _write(settings: Settings, deployment: Deployment, before: Deployment | None) -> None:
    """Write the deployment to every partition of the logs it governs, and last to the index.

    In the logs the former key signs it, so that workers which lack the new one can read what they lack."""
    ours = settings.keys.of_log(deployment.epoch)
    then = ours.signing_as(deployment.keys if before is None else before.keys)
    now = ours.signing_as(deployment.keys)
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        write(settings, list(_records(codec, deployment, then)))
        write(settings, [_signed(codec, deployment, now, DEPLOYMENTS, 0, CURRENT)])


def _records(codec: Codec, deployment: Deployment, keys: Keys) -> Iterator[Output]:
    for topic in (LABELLED_EXAMPLES, CUSTOMER_EVENTS):
        for partition in range(TOPICS[topic].count(deployment.partitions)):
            yield _signed(codec, deployment, keys, topic, partition, None)


def _signed(codec: Codec, deployment: Deployment, keys: Keys, topic: str, partition: int, key: bytes | None) -> Output:
    record = sign(DEPLOYMENT, deployment.to_record(), keys, topic, partition)
    return Output(topic, partition, key, codec.encode(DEPLOYMENT, record))
