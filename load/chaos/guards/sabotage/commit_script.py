"""Guards of the commit script in Redis: state and position are one."""

import importlib
from hashlib import sha1
from typing import Any

from .patch import Guard, Patch, do_nothing, hit

SCRIPT = "sinks.redis.script"
_COMPARE = b"if (stored or '') ~= ARGV[1] then return 0 end\n"


def without_comparison(source: bytes) -> bytes:
    """Return the script without the comparison of positions. Raises LookupError when it has no such line."""
    if source.count(_COMPARE) != 1:
        raise LookupError("the script does not hold the expected comparison")
    return source.replace(_COMPARE, b"")


def _digest_of_the_patched_script(_: str) -> str:
    return sha1(importlib.import_module(SCRIPT).SOURCE, usedforsecurity=False).hexdigest()


def _write_state_before_position(write: Any) -> Any:
    def write_in_two_steps(client: Any, writes: Any) -> Any:
        for keys, arguments in writes:
            for key, value in zip(keys[1 : int(arguments[1])], arguments[3:], strict=False):
                if value:
                    client.set(key, value)
                else:
                    client.delete(key)
        hit("committed")
        return write(client, writes)

    return write_in_two_steps


GUARDS = {
    "position-cas": Guard(
        "Of two owners of a partition only one writes: state and position are written if the stored position is the "
        "expected one.",
        "scoring.acked stop until another worker owns the partition, then SIGCONT; the same for judging and monitoring",
        (
            Patch(SCRIPT, "SOURCE", without_comparison),
            Patch(SCRIPT, "DIGEST", _digest_of_the_patched_script),
        ),
    ),
    "position-read": Guard(
        "A slice uses only customers and timers that were read at the position which this worker committed.",
        "scorers without a cache stopped for less than their session while Redis loses its last second",
        (Patch("streams.state.rules", "check_positions", do_nothing),),
    ),
    "one-script": Guard(
        "State and position are written together.",
        "scoring.committed kill; without the guard this point lies between the two writes",
        (Patch("sinks.redis.scoring_store", "write", _write_state_before_position),),
    ),
}
