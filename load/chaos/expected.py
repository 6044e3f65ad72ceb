"""The faults that are expected to expose a missing guard: the schedule of a run with `--without GUARD`."""

from itertools import cycle

from load.chaos.plan import FIRST_S, LAST_S, LONG_S, Fault

SPACING_S = 7.0
STOP, KILL = "stop", "kill"


def point(name: str, how: str) -> Fault:
    """Return a fail point, STAGE.POINT, that kills or stops its process."""
    return Fault(0.0, "point", name, how, LONG_S)


def join(worker: str) -> Fault:
    """Return the fault of an extra member that joins the group and leaves it."""
    return Fault(0.0, "extra member", worker, "leave", LONG_S)


STILL_S = 4.5
"""Shorter than the group's session time-out: a worker that is frozen for so long continues as if nothing had
happened."""
BACK = (Fault(0.0, "redis", "redis", "second"), Fault(0.0, "redis", "redis", "backup"))
CUT = tuple(Fault(0.0, "link", f"{worker}>redis", "cut", 2.0) for worker in ("scoring-a", "scoring-b", "watching"))
MISDIRECTED = tuple(Fault(0.0, "link", f"scoring-{which}>kafka", "misdirect", 5.0) for which in "ab")
CLOCK = Fault(0.0, "clock", "scoring-c", "7200", LONG_S)
SILENCE = Fault(0.0, "silence", "producers", "", 4.0)
ON_THE_WALL = {"tick-bound", "pauses"}
"""Guards that matter on a wall clock only."""
EXPECTED: dict[str, tuple[Fault, ...]] = {
    "position-cas": (point("scoring.acked", STOP),),
    "position-read": (
        Fault(-0.5, "freeze", "scoring-a", "", STILL_S),
        Fault(-7.5, "freeze", "scoring-b", "", STILL_S),
        Fault(-14.4, "redis", "redis", "second"),
    ),
    "one-script": (point("scoring.committed", KILL),),
    "cache-clear": (join("scoring-c"),),
    "event-digests": (),
    "id-kinds": (),
    "id-contents": (),
    "tick-steps": (),
    "tick-bound": (CLOCK,),
    "pauses": (SILENCE,),
    "acks": (point("scoring.committed", KILL), Fault(0.0, "kafka", "kafka")),
    "idempotence": MISDIRECTED,
    "first-alone": MISDIRECTED,
    "gapless": tuple(Fault(0.0, "link", f"scoring-{which}>kafka", "stall", 3.0) for which in "ab"),
    "produce-then-commit": (point("scoring.computed", KILL), point("scoring.produced", KILL)),
    "void-on-failure": (*CUT, Fault(0.0, "redis", "redis", "restart")),
    "go-back": (*CUT, Fault(0.0, "redis", "redis", "restart")),
    "start-check": BACK,
    "slots": (),
    "deployed-partitions": (Fault(0.0, "partitions", "customer-events"),),
    "watch": (Fault(0.0, "settings", "customer-events"),),
    "learner-marks": (point("scoring.acked", KILL),),
    "judging-marks": (point("scoring.acked", KILL),),
    "monitoring-marks": (point("scoring.acked", KILL), point("monitoring.acked", KILL)),
    "reader-marks": (point("scoring.acked", KILL),),
    "snapshot-before-switch": (point("learning-buys-logistic.acked", KILL), point("learning-buys-tree.acked", KILL)),
    "atomic-snapshot": (point("learning-buys-logistic.snapshot.begun", KILL),),
    "learner-resend": (point("learning-buys-logistic.snapshot.put", KILL),),
    "loaded-copy": (Fault(0.0, "kill", "learning"),),
    "last-version": (Fault(0.0, "models", "scoring-a", "", 5.0), Fault(0.0, "kill", "scoring-a")),
    "switch-order": (
        join("learning-b")._replace(seconds=30.0),
        point("learning-leaves-prior.computed", STOP)._replace(seconds=20.0),
    ),
    "log-watch": (Fault(0.0, "stranger", "customer-events"),),
    "server-guard": (Fault(0.0, "eviction", "redis"),),
    "history-order": (point("history.rows.partly", KILL), Fault(0.0, "link", "history>clickhouse", "cut", 1.0)),
}
"""Guard → faults, repeated until the end of the run. Faults are SPACING_S apart, plus their own `at`. A guard
without faults is exposed by the events themselves."""


def plan_without(guard: str, seconds: float) -> list[Fault]:
    """Return the schedule of a run without `guard`. A guard that no fault exposes gets an empty one."""
    faults, at = [], FIRST_S
    for fault in cycle(EXPECTED.get(guard, ())):
        if at > seconds - LAST_S:
            break
        faults.append(fault._replace(at=at + fault.at))
        at += SPACING_S
    return sorted(faults)
