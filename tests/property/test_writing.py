"""Records that are written directly have the same bytes as those of the codec."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.scoring.record_writer import PureRecordWriter, RecordWriter
from streams.targets.observations import Observation, pack_vector

CODEC = Codec(MemoryRegistry(), load_schemas())
WRITERS = (PureRecordWriter(CODEC, "deployed"), RecordWriter(CODEC, "deployed"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
longs = st.integers(-(1 << 63), (1 << 63) - 1)
doubles = st.floats()
answers = st.lists(st.tuples(texts, texts, doubles, st.booleans()), min_size=1, max_size=5)
vectors = st.lists(doubles, max_size=40)
sources = st.fixed_dictionaries(
    {
        "topic": texts,
        "epoch": longs,
        "partition": st.integers(0, 1 << 30),
        "offset": longs,
        "ordinal": st.integers(0, 9),
    }
)


def told(answers: list[tuple[str, str, float, bool]]) -> list[dict[str, Any]]:
    return [{"arm": a, "version": v, "value": x, "fallback": f} for a, v, x, f in answers]


@given(
    st.tuples(texts, texts, texts, longs, texts),
    answers,
    st.data(),
    vectors,
    st.lists(st.tuples(texts, doubles), max_size=3),
    st.booleans(),
    st.none() | longs,
    sources,
)
def test_predictions(
    names: tuple[str, str, str, int, str],
    answers: list[tuple[str, str, float, bool]],
    data: st.DataObject,
    vector: list[float],
    reasons: list[tuple[str, float]],
    observed: bool,
    end: int | None,
    source: dict[str, Any],
) -> None:
    champion = data.draw(st.integers(0, len(answers) - 1))
    prediction_id, target, customer, asked_at, asked_by = names
    record = {
        "prediction_id": prediction_id,
        "target": target,
        "customer_id": customer,
        "asked_at": asked_at,
        "asked_by": asked_by,
        "value": answers[champion][2],
        "champion": answers[champion][0],
        "answers": told(answers),
        "vector": vector,
        "reasons": [{"feature": feature, "value": value} for feature, value in reasons],
        "observed": observed,
        "horizon_end": end,
        "deployment_id": "deployed",
        "source": source,
    }
    packed = pack_vector(vector)
    for writer in WRITERS:
        written = writer.prediction(*names, answers, champion, packed, reasons, observed, end, source)
        assert written == CODEC.encode("tidecast.Prediction", record)


@given(texts, texts, texts, longs, answers, vectors, doubles, longs, texts, st.none() | texts, sources)
def test_examples(
    example_id: str,
    customer: str,
    target: str,
    asked_at: int,
    answers: list[tuple[str, str, float, bool]],
    vector: list[float],
    label: float,
    outcome_at: int,
    settled_by: str,
    previous: str | None,
    source: dict[str, Any],
) -> None:
    observation = Observation(target, "asked", asked_at, None, pack_vector(vector), answers)
    record = {
        "example_id": example_id,
        "prediction_id": "asked",
        "target": target,
        "customer_id": customer,
        "asked_at": asked_at,
        "answers": told(answers),
        "vector": vector,
        "label": label,
        "outcome_at": outcome_at,
        "settled_by": settled_by,
        "deployment_id": "deployed",
        "previous": previous,
        "source": source,
    }
    for writer in WRITERS:
        written = writer.example(example_id, customer, observation, label, outcome_at, settled_by, previous, source)
        assert written == CODEC.encode("tidecast.LabelledExample", record)
