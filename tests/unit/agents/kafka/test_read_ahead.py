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


def test_what_is_processed_after_a_snapshot_is_passed_over() -> None:
    passed = followed()
    passed.given("p", 20)
    passed.worked("p", 18)  # a batch of a learner, and the next one at work
    assert passed.position("p", 0) == 10  # that of its snapshot
    assert passed.read_ahead("p", 10) == 18
    assert not passed.read("p", 21)
    passed.worked("p", 20)
    assert passed.read("p", 21)
    assert passed.read_ahead("p", 10) == 21


def test_a_learner_without_a_snapshot_has_the_position_that_its_group_had() -> None:
    passed: ReadAhead[str] = ReadAhead()
    passed.given("p", 0)
    passed.given("p", 7)
    passed.worked("p", 7)
    assert passed.position("p", 0) == 0
    assert passed.read_ahead("p", 0) == 7
    assert metadata(0, 7) == "7;"


def test_markers_are_passed_over_before_the_first_record() -> None:
    passed: ReadAhead[str] = ReadAhead()
    passed.start("p", 0)
    assert passed.read("p", 4)  # an aborted transaction, in a partition without records
    assert passed.position("p", 0) == 0 and passed.read_ahead("p", 0) == 4
    passed.given("p", 5)
    assert not passed.read("p", 6)


def test_after_a_new_assignment_nothing_is_known() -> None:
    passed = followed()
    passed.read("p", 13)
    passed.clear()
    assert passed.read_ahead("p", 10) == 10
    assert not passed.read("p", 13)
