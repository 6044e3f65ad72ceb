"""A reader takes each output once, even when the writer goes back and the reader restarts."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.marks import Marks


def outputs(source: int, count: int) -> list[dict[str, object]]:
    """Return the outputs of one source partition: two for each record, and a new epoch half-way."""
    half = count // 2
    places = [(1, n) for n in range(half)] + [(2, n) for n in range(count - half)]
    return [
        {"source": {"topic": "t", "epoch": epoch, "partition": source, "offset": offset, "ordinal": ordinal}}
        for epoch, offset in places
        for ordinal in (0, 1)
    ]


RUNS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=12)
"""Runs of the writer: source partition, start, number of outputs, and whether the reader restarts afterwards."""


@given(RUNS, st.lists(st.integers(0, 12), min_size=3, max_size=3))
def test_each_output_is_new_once_and_in_order(runs: list[tuple[int, int, int, bool]], counts: list[int]) -> None:
    expected = [outputs(source, count) for source, count in enumerate(counts)]
    sent = [0, 0, 0]
    seen: list[list[dict[str, object]]] = [[], [], []]
    marks = Marks()
    for source, back, length, restart in [*runs, *((source, 0, 100, False) for source in range(3))]:
        begin = min(back, sent[source])
        written = expected[source][begin : begin + length]
        seen[source] += [record for record in written if marks.advance(record)]
        sent[source] = max(sent[source], begin + len(written))
        if restart:
            marks = Marks.from_json(marks.to_json())
    assert seen == expected
