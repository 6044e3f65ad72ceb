"""Guards that can be switched off in workers, to prove that the harness notices. Production code does not know them."""

import os
from collections.abc import Mapping
from pathlib import Path

from load.chaos.guards.sabotage import GUARDS


def without(*names: str) -> dict[str, str]:
    """Return the variables that switch these guards off in a worker. Raises KeyError for an unknown name."""
    for name in names:
        _ = GUARDS[name]
    return {**_customized(), "TIDECAST_WITHOUT": ",".join(names)}


def clock_ahead(seconds: float, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables by which a worker's clock is ahead of the time. `environment`: its others."""
    return {**_customized(environment), "TIDECAST_CLOCK_AHEAD": str(seconds)}


def _customized(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    paths = [str(Path(__file__).parent), *filter(None, [environment.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}
