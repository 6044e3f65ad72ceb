"""Guards of the scoring stage."""

import importlib
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from .patch import Guard, Patch, do_nothing


def _restart_ticks(begin: Any) -> Any:
    def begin_at_first_step(self: Any, partition: int) -> Any:
        work = begin(self, partition)
        work.ordinal = 0
        return work

    return begin_at_first_step


def _follow_any_switch(take: Any) -> Any:
    def switch(self: Any, work: Any, raw: Any, taken: Any) -> bool:
        serving = work.header.serving
        arm = f"{taken.record['target']}/{taken.record['arm']}"
        if arm in serving:
            serving[arm] = replace(serving[arm], command=-1, offset=-1)
        done: bool = take(self, work, raw, taken)
        return done

    return switch


def _answer_untrained(load: Any) -> Any:
    def load_or_guess(self: Any, snapshot: str, digest: bytes) -> None:
        try:
            load(self, snapshot, digest)
        except importlib.import_module("streams.errors").Unavailable:
            target, arm, *_ = snapshot.split("/")
            self._models[snapshot] = self._untrained[(target, arm)][1]

    return load_or_guess


def _of_the_id_alone(digest: Any) -> Any:
    return lambda self, raw, taken, id: blake2b(id.encode(), digest_size=6).digest() + digest(self, raw, taken, id)[6:]


def _whatever_the_content(look: Any) -> Any:
    return lambda self, digest: None if look(self, digest) is None else True


def _own_clock(bound: Any) -> Any:
    def unbounded(self: Any, partition: int, own: int) -> int:
        return own

    return unbounded


GUARDS = {
    "tick-bound": Guard(
        "A tick is not ahead of the broker's clock; scoring refuses one that is.",
        "a scorer joins whose clock is two hours ahead (on a wall clock)",
        (
            Patch("agents.runtime.ticking.broker_clock", "BrokerClock.bound", _own_clock),
            Patch("streams.scoring.intake", "MOST_TICK_AHEAD", lambda _: 1 << 60),
        ),
    ),
    "pauses": Guard(
        "A silence of the producers pauses time, and open questions get that much longer.",
        "a silence of all producers (on a wall clock)",
        (Patch("streams.scoring.pauses", "Pauses.obey", do_nothing),),
    ),
    "cache-clear": Guard(
        "After an assignment or a conflict, customers are read from the store again.",
        "a partition moves to another scorer and comes back",
        (Patch("streams.scoring.working_set.cache", "CustomerCache.clear", do_nothing),),
    ),
    "event-digests": Guard(
        "An event or outcome that is published twice counts once.",
        "duplicates among the published events; no fault",
        (Patch("streams.features.customer_state", "Digests.same_content", do_nothing),),
    ),
    "id-kinds": Guard(
        "Events of several kinds, and outcomes, may have the same id.",
        "records of another kind under an id that was there; no fault",
        (Patch("streams.scoring.intake", "Intake.digest", _of_the_id_alone),),
    ),
    "id-contents": Guard(
        "Another content under a known id is a dead letter and no duplicate.",
        "other contents under an id that was there; no fault",
        (Patch("streams.features.customer_state", "Digests.same_content", _whatever_the_content),),
    ),
    "tick-steps": Guard(
        "A tick that was interrupted continues at its step.",
        "a tick with more timers in a partition than a slice takes (5 here); no fault",
        (
            Patch("streams.scoring.timers", "SLICE", lambda _: 5),
            Patch("streams.scoring.stage", "Scoring._open", _restart_ticks),
        ),
    ),
    "last-version": Guard(
        "A scorer that cannot load a version waits, and answers with no other version.",
        "the model store hidden from a scorer that starts or reads a switch",
        (Patch("streams.scoring.model_cache", "ServedModels._load", _answer_untrained),),
    ),
    "switch-order": Guard(
        "A switch changes nothing unless it is above the one in force.",
        "learning.computed stop, another learner continues to later versions, then SIGCONT",
        (Patch("streams.scoring.control_records", "ControlRecords.switch", _follow_any_switch),),
    ),
}
