"""Guards that can be switched off in workers, to prove that the harness notices. Production code does not know them."""

import os
from pathlib import Path

from load.chaos.guards.sabotage import GUARDS


def without(*names: str) -> dict[str, str]:
    """Return the variables that switch these guards off in a worker. Raises KeyError for an unknown name."""
    for name in names:
        _ = GUARDS[name]
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "TIDECAST_WITHOUT": ",".join(names)}
