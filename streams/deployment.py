"""Deployments: the definitions in force in a log, as its deployment record states them."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.forms import strip_logical_types
from schemas.records import DeploymentRecord
from schemas.topics import TOPICS
from streams.declarations import stated
from streams.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What bit-exactness depends on. Another River stops a worker; other differences warn.

    kernels: whether the compiled kernels are in use; None in deployments made before this was recorded."""

    river: str
    code: str
    python: str
    cpu: str
    kernels: bool | None = None


def number_of(record: DeploymentRecord) -> int:
    """Return the number of a decoded tidecast.Deployment; 0 before deployments were numbered."""
    return record["number"] or 0


def is_replayed(record: DeploymentRecord, last: int) -> bool:
    """Return whether a correctly signed deployment record is a former one that was written again.

    `last`: number of the last obeyed deployment. A repeated record would stop every worker."""
    return last > 0 and number_of(record) <= last


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment record (tidecast.Deployment).

    deployment_id: digest of `definitions`.
    epoch: log epoch, unix seconds at which the logs were created.
    partitions: number of partitions of customer-events. Further ones do not belong to the log.
    target_partitions: target → partition of labelled-examples, which never changes for a target.
    former: ids of the deployments that were in force in this log before, oldest first.
    keys: the signing keys from here on, see Keys.names.
    exclusive: stages refuse records under former deployments (see `alone`). It is not recorded.
    skips: (partition, offset) of the control records of customer-events that are passed over. They are no part of the
    deployment record: each is a record of its own beside it."""

    deployment_id: str
    use_case: str
    epoch: int
    partitions: int
    target_partitions: Mapping[str, int]
    definitions: str
    river_version: str
    code_version: str
    python_version: str
    cpu: str
    number: int = 0
    kernels: bool | None = None
    former: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    exclusive: bool = False
    skips: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def from_record(cls, record: DeploymentRecord, partitions: int) -> "Deployment":
        """Build it from a decoded tidecast.Deployment.

        partitions: of customer-events, for a record from before their number was recorded."""
        return cls(
            deployment_id=record["deployment_id"],
            use_case=record["use_case"],
            epoch=record["epoch"],
            partitions=record["partitions"] or partitions,
            target_partitions=record["target_partitions"],
            definitions=record["definitions"],
            river_version=record["river_version"],
            code_version=record["code_version"],
            python_version=record["python_version"],
            cpu=record["cpu"],
            number=number_of(record),
            kernels=record["kernels"],
            former=tuple(record["former"] or ()),
            keys=None if record["keys"] is None else tuple(record["keys"]),
        )

    def to_record(self) -> DeploymentRecord:
        """Return the unsigned record tidecast.Deployment."""
        return {
            "deployment_id": self.deployment_id,
            "use_case": self.use_case,
            "epoch": self.epoch,
            "target_partitions": dict(self.target_partitions),
            "definitions": self.definitions,
            "river_version": self.river_version,
            "code_version": self.code_version,
            "python_version": self.python_version,
            "cpu": self.cpu,
            "number": self.number or None,
            "kernels": self.kernels,
            "partitions": self.partitions,
            "former": list(self.former),
            "keys": None if self.keys is None else list(self.keys),
            "signature": None,
        }

    def owns(self, topic: str, partition: int) -> bool:
        """Return whether a partition of a topic (logical name) is one of those that were deployed."""
        return partition < TOPICS[topic].count(self.partitions)

    def alone(self) -> "Deployment":
        """Return it for stages that refuse records under former deployments.

        Only what was processed under these definitions is the same when it is processed again."""
        return dataclasses.replace(self, exclusive=True)

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the process that deployed."""
        return Fingerprint(self.river_version, self.code_version, self.python_version, self.cpu, self.kernels)


def deploy_of(
    use_case: Any,
    epoch: int,
    partitions: int,
    before: Mapping[str, int],
    running: Fingerprint,
    number: int = 0,
    former: tuple[str, ...] = (),
) -> Deployment:
    """Return the deployment of a use case in the logs of `epoch`, by a process with the fingerprint `running`.

    number: greater than that of any earlier deployment in these logs. former: the ids of these, oldest first.
    before: partitions of labelled-examples that targets have already. New targets get the lowest free numbers in
    declared order. The caller checks that there are enough partitions."""
    taken = dict(before)
    free = (number for number in range(len(taken) + len(use_case.targets)) if number not in before.values())
    for target in use_case.targets:
        if target.name not in taken:
            taken[target.name] = next(free)
    definitions = definitions_of(use_case)
    return Deployment(
        deployment_id=deployment_id(definitions),
        use_case=use_case.name,
        epoch=epoch,
        partitions=partitions,
        target_partitions=taken,
        definitions=definitions,
        river_version=running.river,
        code_version=running.code,
        python_version=running.python,
        cpu=running.cpu,
        number=number,
        kernels=running.kernels,
        former=former,
    )


def definitions_of(use_case: Any) -> str:
    """Return canonical JSON of a use case: sorted keys, each declaration with its class, schemas without docs.

    Any change that can change a result changes the text. The tick interval is left out, because each tick is a record
    of the log. Raises DeclarationError for a value without a JSON form."""
    plain = _plain(use_case, use_case.name)
    for name in ("tick_every", "pause_after"):
        plain.pop(name, None)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def deployment_id(definitions: str) -> str:
    """Return the first 16 hex digits of the definitions' SHA-256."""
    return hashlib.sha256(definitions.encode()).hexdigest()[:16]


def _plain(value: Any, place: str) -> Any:
    """Return JSON values for a declaration; a dataclass becomes an object with its class name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"class": type(value).__name__, **_plain(stated(value), place)}
    if isinstance(value, Mapping):
        if value.get("type") == "record" and "fields" in value:
            return strip_logical_types(dict(value))
        return {str(key): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, float) and value - value != 0.0:
        raise DeclarationError(f"{place} is {value}; declare a finite number.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise DeclarationError(f"{place} is a {type(value).__name__}; declare it with text, numbers and tuples of these.")


def differences(deployed: Fingerprint, here: Fingerprint) -> list[str]:
    """Return the differences that do not stop a worker, one sentence each. (Another River does stop it.)"""
    words = {"code": "Tidecast's code", "python": "Python", "cpu": "the CPU"}
    found = [
        f"{words[name]} is {getattr(here, name)} here and was {getattr(deployed, name)} at the deployment"
        for name in words
        if getattr(here, name) != getattr(deployed, name)
    ]
    if deployed.kernels is not None and deployed.kernels != here.kernels:
        now, then = ("on", "off") if here.kernels else ("off", "on")
        found.append(f"the compiled kernels are {now} here and were {then} at the deployment")
    return [f"{difference}: results may differ in their last digits." for difference in found]


def changes(old: str, new: str) -> list[str]:
    """Return the differences between two definitions, one line each: `features.calls_7d.over: '7d' → '14d'`."""
    return list(_changes(json.loads(old), json.loads(new), ""))


def _changes(old: Any, new: Any, place: str) -> Iterator[str]:
    if old == new:
        return
    if _by_name(old) is not None and _by_name(new) is not None:
        if list(_by_name(old) or ()) != list(_by_name(new) or ()) and len(old) == len(new):
            yield f"{place}: new order or names"
        old, new = _by_name(old), _by_name(new)
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield f"{place}: {_short(old)} → {_short(new)}"
        return
    for key in [*old, *(key for key in new if key not in old)]:
        inner = f"{place}.{key}" if place else str(key)
        if key not in new:
            yield f"{inner}: removed"
        elif key not in old:
            yield f"{inner}: new"
        else:
            yield from _changes(old[key], new[key], inner)


def _by_name(value: Any) -> dict[str, Any] | None:
    """Return a list of named things as a mapping, so that moving one does not count as a change of all; None for any
    other value."""
    if isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value):
        return {str(item["name"]): item for item in value}
    return None


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
