"""The seeded schedule of a run: which fault comes when. It is decided before anything starts."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from load.chaos.workers import ALWAYS, EXTRA_MEMBERS

FIRST_S, LAST_S = 8.0, 12.0
"""Seconds without faults at the start, and at the end before all faults are healed."""
SPACING_S = 5.5
LONG_S = 8.0
"""Longer than the group's session time-out of 6 s: a member that is silent for so long is fenced."""
NEEDS = {
    "scoring-a": ("kafka", "redis", "registry"),
    "scoring-b": ("kafka", "redis", "registry"),
    "learning": ("kafka", "registry"),
    "watching": ("kafka", "redis", "registry"),
    "history": ("kafka", "clickhouse", "registry"),
}
"""The servers that a worker connects to."""
ROUND = (
    "kill",
    "point",
    "link",
    "freeze",
    "redis",
    "point",
    "kafka",
    "full disk",
    "point",
    "clickhouse",
    "extra member",
    "point",
    "registry",
    "partitions",
    "models",
    "stranger",
    "eviction",
    "settings",
)
"""The kinds of faults in a run of two minutes. A longer run repeats them."""
REDIS = ("restart", "second", "backup", "wipe", "second", "backup")
LINKS = ("cut", "stall", "delay", "throttle")


class Fault(NamedTuple):
    """One fault.

    at: seconds from the start of the events. kind: one of ROUND. on: worker, server or STAGE.POINT. how: variant.
    seconds: how long it lasts."""

    at: float
    kind: str
    on: str
    how: str = ""
    seconds: float = 0.0


def plan(seed: int, seconds: float, points: Sequence[str]) -> list[Fault]:
    """Return all faults of a run in order of time. `points`: the fail points as STAGE.POINT, taken in turn from seed to
    seed."""
    r = random.Random(f"chaos {seed}")
    count = max(1, int((seconds - FIRST_S - LAST_S) / SPACING_S))
    kinds = [ROUND[number % len(ROUND)] for number in range(count)]
    r.shuffle(kinds)
    count_here = sum(kind == "point" for kind in kinds)
    turn = iter(points[(seed * count_here + number) % len(points)] for number in range(count_here))
    faults = []
    for number, kind in enumerate(kinds):
        at = FIRST_S + (number + r.random()) * SPACING_S
        if kind == "point":
            faults.append(Fault(at, kind, next(turn), r.choice(("kill", "kill", "stop")), LONG_S))
        else:
            faults.append(_other(r, seed, at, kind))
    return sorted(faults)


def _other(r: random.Random, seed: int, at: float, kind: str) -> Fault:
    """Return a fault of any kind but `point`."""
    worker = r.choice(ALWAYS)
    if kind == "kill":
        return Fault(at, kind, worker)
    if kind == "freeze":
        return Fault(at, kind, worker, "", r.uniform(LONG_S, LONG_S + 2))
    if kind == "link":
        server, how = r.choice(NEEDS[worker]), r.choice(LINKS)
        return Fault(at, kind, f"{worker}>{server}", how, r.uniform(1, LONG_S + 1))
    if kind == "redis":
        return Fault(at, kind, "redis", REDIS[seed % len(REDIS)])
    if kind == "models":
        return Fault(at, kind, r.choice(("scoring-a", "scoring-b")), "", r.uniform(2, LONG_S))
    if kind == "full disk":
        return Fault(at, kind, "learning", "", r.uniform(2, LONG_S))
    if kind == "extra member":
        return Fault(at, kind, r.choice(EXTRA_MEMBERS), r.choice(("leave", "kill")), r.uniform(4, LONG_S))
    return Fault(at, kind, kind, "", r.uniform(0, 3))


def plan_on_the_wall(seed: int, seconds: float, points: Sequence[str]) -> list[Fault]:
    """Return the faults of a run on a wall clock: those of `plan`, a scorer whose clock is two hours ahead, and a
    silence of all producers."""
    others = [
        fault._replace(on=EXTRA_MEMBERS[1]) if fault.kind == "extra member" else fault
        for fault in plan(seed, seconds, points)
    ]
    ahead = Fault(0.3 * seconds, "clock", EXTRA_MEMBERS[0], "7200", LONG_S)
    silence = Fault(0.55 * seconds, "silence", "producers", "", 4.0)
    return sorted([*others, ahead, silence])
