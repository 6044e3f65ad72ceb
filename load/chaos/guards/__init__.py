"""Guards that can be switched off in workers, to see that the harness notices: never in production code."""

import os
from pathlib import Path

from load.chaos.guards.sabotage import GUARDS


def without(*names: str) -> dict[str, str]:
    """What to add to a worker's environment so that these guards are off. KeyError for an unknown name."""
    for name in names:
        _ = GUARDS[name]
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "TIDECAST_WITHOUT": ",".join(names)}
