"""`python -m load.baselines.worker KIND ORDER`: one system in a process of its own, which `measure` starts."""

import sys
from importlib import import_module

from load.baselines.run_settings import RunSettings

MODULES = {"bare": "bare", "faust": "faust_app", "confluent": "confluent_loop"}


def main() -> None:
    """Run the system of the first argument as the second one (JSON) says."""
    kind, settings = sys.argv[1], RunSettings.from_json(sys.argv[2])
    del sys.argv[1:]  # Faust's worker reads the command line too
    import_module(f"load.baselines.{MODULES[kind]}").run(settings)


if __name__ == "__main__":
    main()
