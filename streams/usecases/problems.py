"""Checks a use case before the first event."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.catalog import full_name
from schemas.forms import unsafe_reason
from streams.features.feature import Feature
from streams.features.fields import Problem, duration_problem, event_fields, number_problem, one_of
from streams.usecases.check_features import feature_problems
from streams.usecases.check_targets import target_problems
from streams.usecases.declaration import UseCase

__all__ = ["Problem", "check"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
NEEDED = {
    "event_id": '{"name": "event_id", "type": "string"}',
    "customer_id": '{"name": "customer_id", "type": "string"}',
    "occurred_at": '{"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}',
    "source": '{"name": "source", "type": "string", "default": ""}',
}
"""The fields that the schema of every event must declare; `source` may be left out."""


def check(use_case: UseCase) -> list[Problem]:
    """Return all mistakes that can be found without an event, each with its remedy. None: it can be deployed."""
    problems = [*_own_problems(use_case), *_tuple_problems(use_case)]
    broken = [Problem(f"event {short}", "", text) for short, text in _avro_problems(use_case)]
    if problems or broken:
        return problems + broken
    events = event_fields(use_case.events)
    names = [feature.name for feature in use_case.features if isinstance(feature, Feature)]
    return [
        *_schema_problems(use_case),
        *feature_problems(use_case.features, events),
        *target_problems(use_case.targets, names, events),
    ]


def _own_problems(use_case: UseCase) -> Iterator[Problem]:
    place = "use case"
    if not isinstance(use_case.name, str) or not NAME.fullmatch(use_case.name) or use_case.name == "tidecast":
        text = f"{use_case.name!r} cannot be the namespace of its events; write letters, digits and _, 50 at most."
        yield Problem(place, "name", text)
    if use_case.clock not in ("wall", "external"):
        text = f"{use_case.clock!r} is not a clock; {one_of(use_case.clock, ('wall', 'external'))}"
        yield Problem(place, "clock", text)
    for name in ("allowed_lateness", "tick_every", "max_ahead", "profile_window"):
        wrong = duration_problem(getattr(use_case, name))
        if wrong:
            yield Problem(place, name, wrong)
    if use_case.pause_after not in (None, "never"):
        wrong = duration_problem(use_case.pause_after)
        if wrong:
            yield Problem(place, "pause_after", f'{wrong.rstrip(".")}, or "never".')
    wrong = number_problem(use_case.reference_windows, 1, 1_000, whole=True)
    if wrong:
        yield Problem(place, "reference_windows", wrong)
    wrong = number_problem(use_case.warm_up_windows, 0, 1_000, whole=True)
    if wrong:
        yield Problem(place, "warm_up_windows", wrong)
    wrong = number_problem(use_case.false_alarms, 1e-9, 1_000)
    if wrong:
        yield Problem(place, "false_alarms", wrong)


def _tuple_problems(use_case: UseCase) -> Iterator[Problem]:
    for name in ("features", "targets"):
        if not isinstance(getattr(use_case, name), tuple | list):
            yield Problem("use case", name, "write a tuple; one with a single element needs a comma: (one,).")


def _avro_problems(use_case: UseCase) -> Iterator[tuple[str, str]]:
    for short, schema in use_case.events.items():
        try:
            fastavro.parse_schema(schema, {}, _force=True)
        except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"it is not a valid Avro schema ({type(error).__name__}: {error}); correct the .avsc file."
            yield short, text
            continue
        wrong = unsafe_reason(schema)
        if wrong:
            yield short, f"its schema cannot be read safely: {wrong}"


def _schema_problems(use_case: UseCase) -> Iterator[Problem]:
    for short, schema in use_case.events.items():
        place = f"event {short}"
        if full_name(schema) != use_case.event_full_name(short):
            text = f'it is {full_name(schema)} by its full name; write "namespace": "{use_case.name}" in its schema.'
            yield Problem(place, "namespace", text)
        declared = {field["name"]: field for field in schema["fields"]}
        for name, wanted in NEEDED.items():
            if name not in declared:
                if name != "source":
                    yield Problem(place, name, f"the field is missing; add {wanted}.")
            elif not _as_needed(name, declared[name]):
                yield Problem(place, name, f"it is declared otherwise; make it {wanted}.")


def _as_needed(name: str, declared: Mapping[str, Any]) -> bool:
    kind = declared["type"]
    if name == "occurred_at":
        return isinstance(kind, dict) and (kind.get("type"), kind.get("logicalType")) == ("long", "timestamp-millis")
    return kind == "string" and (name != "source" or declared.get("default") == "")
