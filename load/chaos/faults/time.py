"""Faults of time: a machine whose clock is wrong, and producers that fall silent. Workers must say so."""

import time
from collections.abc import Callable

from load.chaos import guards
from load.chaos.plan import Fault
from load.chaos.system import ChaosSystem

PATIENCE_S = 120.0
"""Seconds within which the system must say what is wrong; other faults may keep it from that for a while."""
LOOK_S = 0.5


def join_ahead(system: ChaosSystem, fault: Fault) -> str:
    """Let a scorer join whose clock is ahead, until it has said so."""
    worker = system.workers.all[fault.on]
    right = worker.environment
    worker.environment = {**right, **guards.clock_ahead(float(fault.how), right)}
    system.workers.want(fault.on, True)
    told = _told(system, lambda: any("ahead of Kafka's" in problem for problem in system.problems("clock")))
    system.pause(fault.seconds)
    system.workers.want(fault.on, False)
    worker.environment = right
    if not told:
        system.silent.append(f"a worker's clock was {fault.how} s ahead, and it did not say so")
    return f"joined with its clock {fault.how} s ahead, {'was red' if told else 'silently'}, and left"


def silence(system: ChaosSystem, fault: Fault) -> str:
    """Stop all producers until time stands still."""
    system.hushed.set()
    try:
        told = _told(system, system.is_paused)
        system.pause(fault.seconds)
    finally:
        system.hushed.clear()
    if not told:
        system.silent.append("no event came, and time went on")
    return "time was paused" if told else "time went on"


def _told(system: ChaosSystem, condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return whether it did. True as well when all faults must end before."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if system.healed.is_set() or condition():
            return True
        system.pause(LOOK_S)
    return False
