"""Offsets without a record at the end of a log, and when a stage may pass over them."""

from agents.kafka.read_ahead import ReadAhead, metadata


def followed() -> ReadAhead[str]:
    passed: ReadAhead[str] = ReadAhead()
    passed.given("p", 10)
    passed.done("p", 10)
    return passed


def test_what_is_read_behind_all_that_is_done_is_passed_over() -> None:
    passed = followed()
    assert passed.read("p", 13)
    assert passed.read_ahead("p", 10) == 13
    assert metadata(10, 13) == "13;"
    assert not passed.read("p", 13)  # nothing new to report
    assert passed.read("p", 15)


def test_nothing_is_passed_over_while_records_are_at_work() -> None:
    passed = followed()
    passed.read("p", 13)
    passed.given("p", 14)  # a record at offset 13
    assert not passed.read("p", 14)
    assert passed.read_ahead("p", 10) == 10
    passed.done("p", 14)
    assert passed.read_ahead("p", 14) == 14
    assert metadata(14, 14) == ""
    assert passed.read("p", 15)
    assert passed.read_ahead("p", 14) == 15


def test_a_stage_that_stores_less_than_it_was_given_passes_over_nothing() -> None:
    passed = followed()
    passed.given("p", 20)
    passed.done("p", 16)  # a learner stores less than it has read
    assert not passed.read("p", 21)
    assert passed.read_ahead("p", 16) == 16


def test_after_a_new_assignment_nothing_is_known() -> None:
    passed = followed()
    passed.read("p", 13)
    passed.clear()
    assert passed.read_ahead("p", 10) == 10
    assert not passed.read("p", 13)
