from pathlib import Path

from load.chaos.events import DAY_MS, DAY_S, ORDER, OUTCOME, START_MS, USE_CASE, VISIT, messages, wall_use_case
from streams.features.window import duration_ms
from streams.usecases import load_use_case
from streams.usecases.problems import check


def test_the_same_seed_gives_the_same_messages_in_order() -> None:
    first, second = list(messages(3, 10, 2000)), list(messages(3, 10, 2000))
    assert [message._replace(record=repr(message.record)) for message in first] == [
        message._replace(record=repr(message.record)) for message in second
    ], "NaN is not equal to itself"
    assert [message.time for message in first] == sorted(message.time for message in first)


def test_every_kind_of_bad_message_occurs() -> None:
    found = list(messages(1, 20, 5000))
    assert {message.name for message in found} == {VISIT, ORDER, OUTCOME, ""}
    good = [message for message in found if message.name in (VISIT, ORDER) and message.key is None]
    assert all(START_MS <= message.record["occurred_at"] <= message.time for message in good)
    assert any(message.time - message.record["occurred_at"] > 2 * DAY_MS for message in good), "late"
    ids = [message.record["event_id"] for message in good]
    assert len(set(ids)) < len(ids), "twice"
    assert sum(message.key is not None for message in found) > 5, "broken"


def test_on_the_wall_horizons_and_schedules_are_seconds_and_features_keep_their_windows(tmp_path: Path) -> None:
    usual, wall = load_use_case(str(USE_CASE)), load_use_case(str(wall_use_case(tmp_path / "wall")))
    assert check(wall) == []
    assert (wall.clock, wall.features) == ("wall", usual.features)
    for there, here in zip(usual.targets, wall.targets, strict=True):
        for before, after in ((there.outcome.horizon, here.outcome.horizon), (there.ask.every, here.ask.every)):
            assert (after is None) == (before is None)
            assert before is None or duration_ms(after) * 86_400 == duration_ms(before) * DAY_S
