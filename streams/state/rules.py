"""Checks and errors that all stores share."""

from collections.abc import Sequence

from streams.errors import PositionConflict
from streams.state.store import PartitionCommit, Positions

MAX_DUE = 2**53
"""Largest magnitude of a due time (ms): Redis keeps the order of timers in doubles."""


def check_timers(commits: Sequence[PartitionCommit]) -> None:
    """Raise ValueError, before anything is written, for due times that a double cannot hold exactly."""
    for commit in commits:
        for customer, due in commit.timers.items():
            if due is not None and not -MAX_DUE <= due <= MAX_DUE:
                raise ValueError(f"timer of {customer!r} is due at {due}, beyond +-2^53 ms")


def check_positions(wanted: Positions, stored: Positions) -> None:
    """Raise PositionConflict where a stored position is not the expected one."""
    other = [f"partition {partition}" for partition, position in stored.items() if position != wanted[partition]]
    if other:
        raise conflict(other)


def conflict(places: Sequence[str]) -> PositionConflict:
    """Return the error for places whose stored position is neither the expected nor the new one."""
    return PositionConflict(
        f"Another owner committed {', '.join(places)} meanwhile: "
        "reload the state, and continue if it is still assigned to this worker."
    )
