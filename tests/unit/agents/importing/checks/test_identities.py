"""Same ids, and what the log has of them."""

from hypothesis import given
from hypothesis import strategies as st

from agents.importing.checks.identities import Identities, content_of, identity_of

records = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("cd"), st.sampled_from("123"), st.binary(min_size=5, max_size=6))
)


def filled(rows: list[tuple[str, str, str, bytes]], found: Identities) -> None:
    for place, (name, customer, id, value) in enumerate(rows):
        found.add(name, customer, id, value, place, 10 * place, late=place % 2 == 0)
    found.sort()


@given(records, records)
def test_against_dictionaries(rows: list[tuple[str, str, str, bytes]], log: list[tuple[str, str, str, bytes]]) -> None:
    """The oracle: the content under an id is that of its first record."""
    with Identities() as found:
        filled(rows, found)
        first: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        same, conflicts, at = 0, 0, {}
        previous: dict[tuple[str, str, str], bytes] = {}
        for place, (*key, value) in enumerate(rows):
            body = value[5:]
            if tuple(key) in first:
                same += previous[tuple(key)] == body
                conflicts += previous[tuple(key)] != body
            first.setdefault(tuple(key), (place, body))
            previous[tuple(key)] = body
            at[place] = (tuple(key), body)
        repeats = found.repeats()
        assert (repeats.same, repeats.other) == (same, conflicts)
        assert all(at[a][0] == at[b][0] and at[a][1] != at[b][1] for a, b in repeats.examples)

        places = found.compare([identity_of(*row[:3]) for row in log], [content_of(row[3]) for row in log])
        expected = [first[row[:3]][0] for row in log if row[:3] in first and first[row[:3]][1] != row[3][5:]]
        assert places == expected
        held = {row[:3] for row in log if row[:3] in first and first[row[:3]][1] == row[3][5:]}
        published = [place for place, (key, body) in at.items() if key in held and body == first[key][1]]
        assert (found.published, found.new) == (len(published), len(rows) - len(published))
        assert found.late == sum(place % 2 == 0 for place in at if place not in published)
        assert list(found.times()) == [10 * place for place in range(len(rows))]


def test_a_place_is_found_by_its_time() -> None:
    with Identities() as found:
        filled([("A", "c", "1", b"00000"), ("A", "c", "2", b"00000")], found)
        assert found.place_of(10) == 1
