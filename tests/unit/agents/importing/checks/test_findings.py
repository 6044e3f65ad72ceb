"""What is told before the first record is sent."""

from agents.importing.checks.findings import Findings, look_at_gaps, look_at_ids, look_at_late, look_at_log
from agents.importing.checks.gaps import DAY_MS
from agents.importing.checks.identities import Identities, content_of, identity_of
from agents.importing.checks.log_scan import LogClock, LogComparison


def line(order: int) -> str:
    return f"line {order}"


def test_ids_used_twice() -> None:
    found = Findings()
    with Identities() as identities:
        for place, (id, body) in enumerate([("1", b"a"), ("1", b"b"), ("2", b"c"), ("2", b"c")], 2):
            identities.add("shop.Order", "c", id, b"00000" + body, place, 0, late=False)
        identities.sort()
        look_at_ids(identities, line, found)
        contents = [content_of(b"00000" + body) for body in (b"a", b"d")]
        places = identities.compare([identity_of("shop.Order", "c", id) for id in "12"], contents)
        look_at_log(identities, LogComparison(set(places), remapped=4), line, found)
    assert "1 of the records repeat another one" in found.facts[0]
    assert "1 of the records were published before" in found.facts[1]
    assert "(line 2 and line 3)" in found.doubts[0]
    assert "published before (line 4)" in found.doubts[1] and "4 records of the same rows" in found.doubts[2]


def test_late_rows_are_a_doubt_beyond_a_share_and_a_fact_below() -> None:
    for most, told in ((0.5, "facts"), (0.1, "doubts")):
        found = Findings()
        with Identities() as identities:
            for place in range(10):
                identities.add("shop.Order", "c", str(place), b"00000", place, 0, late=place < 3)
            identities.sort()
            look_at_late(identities, LogClock((5, None)), most, found)
        assert "3 of 10 new records are older than the watermark" in getattr(found, told)[0]


def test_rows_far_from_all_others_holes_and_a_missing_file() -> None:
    days = [*range(60), *range(200, 260), 2000]
    found = Findings()
    with Identities() as identities:
        for place, day in enumerate(days):
            identities.add("shop.Order", "c", str(place), b"00000", place, day * DAY_MS, late=False)
        identities.sort()
        look_at_gaps(identities, LogClock((-100 * DAY_MS,)), line, found)
    assert "One record is far from all others" in found.doubts[0] and "see line 120" in found.doubts[0]
    assert "Nothing lies between 1970-03-01 00:00:00 and 1970-07-20 00:00:00 (141 d 0 h)" in found.doubts[1]
    assert "the first record comes 100 d 0 h later" in found.doubts[2]


def test_the_clock_of_each_partition_decides_what_is_late() -> None:
    late = LogClock((1000, 1000)).late(300)
    assert [late("c", time) for time in (699, 700, 1000)] == [True, False, False]
    assert not LogClock((None, None)).late(0)("c", -1)
    parts = LogClock((None, 1000)).late(0)
    assert {parts(customer, 0) for customer in map(str, range(20))} == {True, False}
