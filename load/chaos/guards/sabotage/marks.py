"""Guards of the marks: what comes twice counts once."""

from collections.abc import Iterator
from typing import Any

from .patch import Guard, Patch, do_nothing

LEARNING = "streams.learning.stage"
BELOW_ALL = (-1, -1, -1)


def forget_mark(marks: dict[int, Any], partition: int, source: Any) -> None:
    """Reset the mark of a partition if `source` was seen before. A new source changes nothing."""
    last = marks.get(partition)
    if last is not None and (source["epoch"], source["offset"], source["ordinal"]) <= tuple(last):
        marks[partition] = BELOW_ALL


def _learn_again(take: Any) -> Any:
    def example(self: Any, offset: int, example: Any) -> Any:
        forget_mark(self._state.marks, example["source"]["partition"], example["source"])
        return take(self, offset, example)

    return example


def _merge_again(take: Any) -> Any:
    def profile(self: Any, record: Any, next_source: Any) -> Iterator[Any]:
        if record["partition"] is not None:
            forget_mark(self._marks, record["partition"], record["source"])
        return take(self, record, next_source)  # type: ignore[no-any-return]

    return profile


def _always_new(advance: Any) -> Any:
    def new(*arguments: Any) -> bool:
        advance(*arguments)
        return True

    return new


_NO_PREDECESSORS = Patch(LEARNING, "Learning._check_previous", do_nothing)
GUARDS = {
    "learner-marks": Guard(
        "An example that comes twice is learnt once.",
        "scoring.acked kill, with examples in the slice",
        (Patch(LEARNING, "Learning._example", _learn_again), _NO_PREDECESSORS),
    ),
    "predecessors": Guard(
        "A missing example before another is an error.",
        "acks switched off as well (--without acks,predecessors): examples are lost without an error",
        (_NO_PREDECESSORS,),
    ),
    "judging-marks": Guard(
        "An example or progress record that comes twice is judged once.",
        "scoring.acked kill, with examples in the slice",
        (Patch("streams.judging.state", "TargetMetricsState.advance", _always_new),),
    ),
    "monitoring-marks": Guard(
        "A prediction, progress record or partial profile that comes twice counts once.",
        "scoring.acked kill; monitoring.acked kill",
        (
            Patch("streams.monitoring.partial", "PartialProfiles.advance", _always_new),
            Patch("streams.monitoring.merger", "Merger.take", _merge_again),
        ),
    ),
    "reader-marks": Guard(
        "A reader that keeps marks sees each output once.",
        "scoring.acked kill; the harness's own reader ignores its marks, workers are unchanged",
        (),
    ),
}
