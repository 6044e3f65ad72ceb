"""Compares this machine's clock with those of the servers, and says when they differ."""

import logging

from agents.formatting import span
from agents.runtime.health import StageHealth
from agents.runtime.metrics import CLOCK_SKEW

log = logging.getLogger(__name__)
WARN_S = 5.0
RED_S = 60.0
"""Seconds between two clocks at which a warning is logged, and at which health is red."""
KAFKA, REDIS = "Kafka", "Redis"


def lead(before: float, after: float, theirs: float) -> float:
    """Return by how many seconds our clock is certainly ahead of another one; negative behind, 0 when unknown.

    `theirs`: what the other clock showed at some moment between `before` and `after` of ours, all in seconds."""
    return max(0.0, before - theirs) - max(0.0, theirs - after)


class ClockCheck:
    """Keeps the last comparison with each server. Red while our clock and Kafka's differ by more than RED_S."""

    def __init__(self, health: StageHealth) -> None:
        """`health`: an entry of its own in the worker's health."""
        self._health = health
        self._leads: dict[str, float] = {}
        self._told = (0.0, "")
        health.green()

    def compare(self, server: str, before: float, after: float, theirs: float) -> None:
        """Take what a server's clock showed between two moments of ours, in seconds."""
        self._leads[server] = lead(before, after, theirs)
        CLOCK_SKEW.labels(server.lower()).set(self._leads[server])
        if KAFKA in self._leads:
            self._judge(self._leads[KAFKA])

    def kafka_time(self, own: float) -> float:
        """Return what Kafka's clock shows when ours shows `own`, as far as is known, in seconds."""
        return own - self._leads.get(KAFKA, 0.0)

    def create_time(self) -> None:
        """Be red because the topic carries its writers' clocks, not the broker's."""
        self._told = (0.0, "")
        self._health.red(
            "customer-events has message.timestamp.type=CreateTime, so nothing bounds the ticks if this machine's "
            "clock is wrong: set it to LogAppendTime (kafka-configs.sh --alter --topic … --add-config "
            "message.timestamp.type=LogAppendTime)"
        )

    def _judge(self, ahead: float) -> None:
        if abs(ahead) <= WARN_S:
            self._told = (0.0, "")
            self._health.green()
            return
        known = (ahead, self._witness(ahead))
        if _is_like(known, self._told):  # it was said, and only drifts
            return
        self._told = known
        if abs(ahead) > RED_S:
            self._health.red(told(*known))
        else:
            self._health.green()
            log.warning("%s", told(*known))

    def _witness(self, ahead: float) -> str:
        """Return whose clock agrees with Redis's; "" for neither, or unknown."""
        if REDIS not in self._leads:
            return ""
        with_us, with_kafka = abs(self._leads[REDIS]), abs(self._leads[REDIS] - ahead)
        if min(with_us, with_kafka) > WARN_S:
            return ""
        return "this machine's" if with_us < with_kafka else "Kafka's"


def _is_like(one: tuple[float, str], other: tuple[float, str]) -> bool:
    """Return whether two differences are about the same, and equally serious."""
    (ahead, witness), (before, former) = one, other
    same = before != 0 and 0.9 < ahead / before < 1.1
    return same and witness == former and (abs(ahead) > RED_S) == (abs(before) > RED_S)


def told(ahead: float, witness: str) -> str:
    """Return the sentence on a clock that is ahead of Kafka's by so many seconds (negative: behind)."""
    agrees = f" Redis's clock agrees with {witness}." if witness else ""
    way = "ahead of" if ahead > 0 else "behind"
    return (
        f"this machine's clock is {span(round(abs(ahead)))} {way} Kafka's.{agrees} Ticks follow the earlier "
        "one of the two, so that none is ahead of the time: set the wrong clock, e.g. by `chronyc makestep`"
    )
