"""Does the server for state keep what it is given?"""

from collections.abc import Iterator

from agents.preflight.finding import PreflightFinding
from agents.preflight.situation import Situation
from agents.stages import STAGES


def state_server(situation: Situation) -> Iterator[PreflightFinding]:
    """Connecting checks policy, version and role; the error is the finding."""
    if any(STAGES[name].store.is_redis for name in situation.stages):
        from sinks.redis.client import check_server

        check_server(situation.wiring.redis)
    yield from ()
