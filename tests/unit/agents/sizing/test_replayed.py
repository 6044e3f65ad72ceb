"""The replays that measure scoring are of events that scoring takes."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents.sizing import replayed
from agents.sizing.constants import NAMES
from schemas.topics import PREDICTIONS


def test_every_event_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    topics: list[str] = []
    replay = replayed.replay

    def watched(*args: Any) -> Iterator[Any]:
        for outputs in replay(*args):
            topics.extend(output.topic for output in outputs)
            yield outputs

    monkeypatch.setattr(replayed, "replay", watched)
    monkeypatch.setattr(replayed, "EVENTS", 200)
    monkeypatch.setattr(replayed, "ROUNDS", 1)
    assert {*replayed.scoring_constants()} <= {*NAMES}
    assert topics == [PREDICTIONS] * 200 * (1 + 1 + 2)
