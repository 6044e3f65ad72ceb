"""Finds what keeps a system from going on, seen from outside: from its logs, its consumer groups and its stores."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from agents.kafka.log_ends import LogEnd, open_transaction
from agents.operations.positions import StagePosition
from agents.settings import Settings
from streams.log import TopicPartition

LATE_TICKS = 3
"""Ticks that may be missing before time counts as standing still."""
LATE_S = 10.0
"""The same in seconds, for a use case with very frequent ticks."""


def unserved(places: Iterable[StagePosition], owned: Mapping[str, Collection[TopicPartition]]) -> list[str]:
    """Return which partitions no worker reads. `owned`: by group, without groups that are being rebalanced."""
    missing: dict[str, list[TopicPartition]] = {}
    served = set[str]()
    for place in places:
        stage = place.stage.partition(" ")[0]
        if place.place in owned.get(place.group, (place.place,)):
            served.add(stage)
        else:
            missing.setdefault(stage, []).append(place.place)
    if missing and not served:
        return ["No worker runs; start them with `tidecast worker`."]
    idle = [stage for stage in missing if stage not in served]
    found = [f"No worker runs {', '.join(idle)}; start `tidecast worker {' '.join(idle)}`."] if idle else []
    for stage in [stage for stage in missing if stage in served]:
        where = ", ".join(f"{topic}[{partition}]" for topic, partition in dict.fromkeys(missing[stage]))
        found.append(f"No worker serves {where} for {stage}; start another `tidecast worker {stage}`.")
    return found


def blocked(
    settings: Settings, before: Mapping[TopicPartition, LogEnd], now: Mapping[TopicPartition, LogEnd]
) -> list[str]:
    """Return the open transactions that hold back records, from two looks a moment apart."""
    still = [
        (place, end.readable)
        for place, end in sorted(now.items())
        if place in before and before[place].readable == end.readable < before[place].high
    ]
    if not still:
        return []
    (place, offset), *more = still
    found = [open_transaction("Everything", place, offset, settings.kafka, settings.topic_prefix)]
    if more:
        others = ", ".join(f"{settings.topic(topic)}[{partition}] at {at}" for (topic, partition), at in more)
        found.append(f"The same holds for {others}.")
    return found


def standing_still(ticks: Mapping[int, int | None], every: int, now: int) -> list[str]:
    """Return in which partitions of a wall clock no tick has been processed lately. Times in ms."""
    limit = max(LATE_TICKS * every, int(LATE_S * 1000))
    late: Sequence[int] = sorted(p for p, tick in ticks.items() if tick is not None and now - tick > limit)
    if not late:
        return []
    age = max(now - tick for tick in ticks.values() if tick is not None) // 1000
    return [
        f"Time stands still in partition{'s' * (len(late) != 1)} {', '.join(map(str, late))} of customer-events: the "
        f"last tick is {age} s old. See the log of the scoring worker, and compare the machines' clocks."
    ]
