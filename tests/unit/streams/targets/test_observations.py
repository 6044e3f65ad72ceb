from hypothesis import given
from hypothesis import strategies as st

from streams.targets.observations import EarlyOutcome, Observation, Observations, Settled, pack_vector, unpack_vector

moments = st.integers(-(1 << 50), 1 << 50)
texts = st.text(max_size=5)
answers = st.lists(st.tuples(texts, texts, st.floats(allow_nan=False), st.booleans()), max_size=3)
vectors = st.binary(max_size=3).map(lambda data: pack_vector([float(byte) for byte in data]))
amounts = st.integers(-(1 << 60), 1 << 60) | st.floats(allow_nan=False)
observations = st.builds(
    Observation, texts, texts, moments, st.none() | moments, vectors, answers, amounts, st.none() | moments
)
early = st.builds(EarlyOutcome, texts, st.none() | texts, moments, st.floats(allow_nan=False))


settled = st.builds(Settled, observations, st.floats(allow_nan=False), moments)


@given(st.lists(observations, max_size=4), st.lists(early, max_size=3), st.lists(settled, max_size=3))
def test_what_waits_comes_back_as_it_was(
    waiting: list[Observation], outcomes: list[EarlyOutcome], done: list[Settled]
) -> None:
    kept = Observations(waiting, outcomes, done)
    assert Observations.unpack(kept.pack()) == kept
    assert kept.pack() == Observations.unpack(kept.pack()).pack()


def test_nothing_is_nothing() -> None:
    assert Observations().pack() == b""
    assert Observations.unpack(b"") == Observations.unpack(None) == Observations()


@given(st.lists(st.floats()))
def test_vectors_keep_every_bit(vector: list[float]) -> None:
    assert pack_vector(unpack_vector(pack_vector(vector))) == pack_vector(vector)


def test_an_outcome_is_strictly_later_and_not_after_the_end() -> None:
    #   asked 10          end 20
    #      (------------------]
    observation = Observation("t", "p", 10, 20, b"", [])
    assert [observation.spans(m) for m in (9, 10, 11, 20, 21)] == [False, False, True, True, False]
    observation.end = None
    assert observation.spans(1 << 60)


def test_a_horizon_closes_when_the_watermark_has_passed_its_end() -> None:
    kept = Observations([Observation("t", "p", 10, 20, b"", []), Observation("t", "q", 10, None, b"", [])])
    assert kept.next_close(lateness=5) == 26
    kept.early.append(EarlyOutcome("t", None, 3, 1.0))
    assert kept.next_close(lateness=5) == 9
    assert Observations([Observation("t", "q", 10, None, b"", [])]).next_close(5) is None
