"""Kernels agree with their Python twins, and the body reader agrees with the Avro library."""

from io import BytesIO
from math import inf, isnan, nan
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.features import plan as features
from streams.features.plan import FeaturePlan
from streams.identity import Position
from streams.kernels import kernel
from streams.models import descent
from streams.models.linear import LinearModel, LogisticModel
from streams.scoring.answering import PureAsker
from streams.scoring.serving_set import ArmServing
from streams.scoring.working_set.partition import PartitionWork
from streams.targets.plan import TargetPlan
from streams.timeline import PartitionHeader
from streams.usecases import Arm, Ask, EventWithin, Logistic, PriorRate, Target, UseCase
from tests.kernels import kernels_missing
from tests.property.test_features import DAY, HOUR, WEEK, feature_sets, records

ANSWERING, BODIES, TILES, LEARNING = (kernel(name) for name in ("answering", "bodies", "tiles", "learning"))
if ANSWERING is None or BODIES is None or TILES is None or LEARNING is None:
    kernels_missing()

NAMES = ("a", "b", "c", "d")
CODEC = Codec(MemoryRegistry(), load_schemas())
numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1.0, nan, inf, -inf, 1e300, 5e-324])
finite = st.floats(-1e3, 1e3) | st.sampled_from([0.0, 1.0])
vectors = st.lists(numbers, min_size=len(NAMES), max_size=len(NAMES))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def models(draw: Any) -> LinearModel:
    kind = draw(st.sampled_from([LinearModel, LogisticModel]))
    columns = draw(st.none() | st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    model: LinearModel = kind(NAMES, columns, 0.0, 0.1, robust=draw(st.booleans()))
    for numbers_of in (model.means, model.weights, model._deviations):
        numbers_of[:] = draw(st.lists(finite, min_size=len(numbers_of), max_size=len(numbers_of)))
    model.intercept = draw(finite)
    return model


def same(one: float, other: float) -> bool:
    return one.hex() == other.hex() or (isnan(one) and isnan(other))


@given(models(), vectors, st.integers(0, 5))
def test_a_frozen_model_answers_and_explains_as_the_model(model: LinearModel, vector: list[float], top: int) -> None:
    cold = model.frozen()
    assert type(cold) is ANSWERING.FrozenLinear
    assert same(cold.predict(vector), model.predict(vector))
    (value, reasons), (ours, wanted) = cold.explain(vector, top), model.explain(vector, top)
    assert same(value, ours)
    if not isnan(ours):  # no reasons are shown without an answer
        assert [(name, part.hex()) for name, part in reasons] == [(name, part.hex()) for name, part in wanted]


@pytest.mark.parametrize("width", [3, 5])
def test_a_frozen_model_refuses_vectors_of_others(width: int) -> None:
    with pytest.raises(IndexError):
        LogisticModel(NAMES, None, 0.0, 0.1).frozen().predict([1.0] * width)


@given(st.lists(vectors, max_size=30), st.sampled_from([inf, 8.0, 1.0]), st.sampled_from([0.0, 0.1]))
def test_a_step_of_descent_is_alike(rows: list[list[float]], most: float, l2: float) -> None:
    states = []
    for found in (descent, LEARNING):
        counts, (means, variances, deviations, weights) = [0] * 4, ([0.0] * 4 for _ in range(4))
        told = []
        for row in rows:
            values = list(row)
            told.append(found.scale(counts, means, variances, deviations, weights, values, most))
            found.descend(weights, values, 0.3, 0.1, l2)
            told += values
        states.append([counts, [each.hex() for each in [*means, *variances, *deviations, *weights, *told]]])
    assert states[0] == states[1]


@pytest.mark.parametrize("width", [3, 5])
def test_descent_refuses_vectors_of_others(width: int) -> None:
    with pytest.raises(IndexError):
        LEARNING.scale([0] * 4, [0.0] * 4, [0.0] * 4, [0.0] * 4, [0.0] * 4, [1.0] * width, 8.0)


@given(
    st.lists(st.tuples(texts, st.booleans(), st.lists(st.tuples(texts, models()), min_size=1, max_size=3)), min_size=1),
    vectors,
    st.sampled_from([0.0, 0.3, 1.0]),
    st.none() | st.just(NAMES[1:3]),
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 99), st.integers(0, 1 << 50), st.integers(0, 9999)),
    texts,
    st.booleans(),
)
def test_a_question_is_put_alike(
    seats: list[Any],
    vector: list[float],
    observe: float,
    chosen: tuple[str, ...] | None,
    place: tuple[int, int, int, int],
    customer: str,
    room: bool,
) -> None:
    arms = (Arm("logistic", Logistic(features=("b",)), role="champion"), Arm("prior", PriorRate(), role="naive"))
    outcome = EventWithin("Call", over="2d")
    plan = TargetPlan(0, Target("t", Ask(on=("Call",)), outcome, arms, observe=observe, features=chosen), NAMES)
    told = []
    for asker, freeze in (
        (PureAsker(CODEC, "d"), lambda model: model),
        (ANSWERING.Asker(CODEC, "d"), lambda model: model.frozen()),
    ):
        epoch, partition, offset, ordinal = place
        work = PartitionWork("customer-events", epoch, partition, Position(offset, ordinal), PartitionHeader())
        serving_set = [
            ArmServing(arm, explained, tuple((v, freeze(m)) for v, m in choices), "t", work.answers)
            for arm, explained, choices in seats
        ]
        asked = asker.ask(work, customer, plan, serving_set, vector, 1_700_000_000_000, "Call", room)
        told.append((asked, work.outputs, work.ordinal, work.answers.fallbacks))
    assert told[0] == told[1]


@given(
    feature_sets(),
    st.lists(st.tuples(st.sampled_from(["Call", "TopUp"]), st.integers(-(10**9), 10**9), records)),
    st.sampled_from([0, HOUR, 3 * HOUR, DAY, 2 * DAY, WEEK, 3 * WEEK]),
)
def test_tiles_are_filled_and_read_alike(
    declared: tuple[Any, ...], events: list[tuple[str, int, Any]], ahead: int
) -> None:
    plan = FeaturePlan(UseCase("u", features=declared, targets=()))
    pure, compiled = plan.new_state(), plan.new_state()
    with pytest.MonkeyPatch.context() as patch:
        for name, moment, fields in events:
            record = {**fields, "occurred_at": moment}
            vectors = []
            for state, prune, apply, read in (
                (pure, features._prune, features._apply, features._read_windows),
                (compiled, TILES.prune, TILES.apply, TILES.read_windows),
            ):
                patch.setattr(features, "_PRUNE", prune)
                patch.setattr(features, "_APPLY", apply)
                patch.setattr(features, "_READ_WINDOWS", read)
                plan.update(state, name, record, moment)
                later = state.clock + ahead
                vectors.append([x.hex() for clock in (state.clock, later) for x in plan.vector(state, clock)])
            assert vectors[0] == vectors[1]
            assert repr(pure) == repr(compiled)


PRIMITIVES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "long": st.integers(-(1 << 63), (1 << 63) - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=200),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
}


@st.composite
def bodies(draw: Any) -> tuple[Any, bytes]:
    """Draw a parsed record schema and the library's bytes of a record."""
    schema_fields, record = [], {}
    for number in range(draw(st.integers(0, 6))):
        base = draw(st.sampled_from(sorted(PRIMITIVES)))
        shape = draw(st.sampled_from(["plain", "nullable", "array", "map", "record"]))
        value = draw(PRIMITIVES[base])
        kind: Any = base
        if shape == "nullable" and base != "null":
            kind, value = ["null", base], draw(st.none() | st.just(value))
        elif shape == "array" and base != "null":  # an array of nulls has more items than bytes: left to the library
            kind, value = {"type": "array", "items": base}, draw(st.lists(PRIMITIVES[base], max_size=3))
        elif shape == "map":
            kind = {"type": "map", "values": base}
            value = draw(st.dictionaries(PRIMITIVES["string"], PRIMITIVES[base], max_size=3))
        elif shape == "record":
            kind = {"type": "record", "name": f"r{number}", "fields": [{"name": "x", "type": base}]}
            value = {"x": value}
        schema_fields.append({"name": f"f{number}", "type": kind})
        record[f"f{number}"] = value
    schema = parse_schema({"type": "record", "name": "any", "fields": schema_fields})
    out = BytesIO()
    schemaless_writer(out, schema, record)
    return schema, out.getvalue()


def by_the_library(schema: Any, body: bytes) -> Any:
    """Return the record, or None when the library fails or does not read all bytes."""
    data = BytesIO(body)
    try:
        record = schemaless_reader(data, schema, None)
    except Exception:
        return None
    return record if data.tell() == len(body) else None


@given(bodies())
def test_bodies_are_read_as_the_library_reads_them(one: tuple[Any, bytes]) -> None:
    schema, body = one
    read = BODIES.BodyReader(schema).read(b"head" + body, 4)
    wanted = by_the_library(schema, body)
    assert repr(read) == repr(wanted) and wanted is not None


@given(bodies(), st.data())
def test_broken_bodies_are_left_to_the_library(one: tuple[Any, bytes], data: st.DataObject) -> None:
    schema, body = one
    at, end = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))
    broken = body[:at] + data.draw(st.binary(max_size=12)) + body[end:]
    read = BODIES.BodyReader(schema).read(broken, 0)
    assert read is None or repr(read) == repr(by_the_library(schema, broken))


def test_types_that_it_does_not_read_are_refused() -> None:
    colour = {"type": "enum", "name": "colour", "symbols": ["red"]}
    with pytest.raises(KeyError):
        BODIES.BodyReader(parse_schema({"type": "record", "name": "r", "fields": [{"name": "f", "type": colour}]}))
