"""`python -m load.baselines.worker KIND SETTINGS`: one system in its own process, started by `measure`."""

import sys
from importlib import import_module

from load.baselines.run_settings import RunSettings

MODULES = {"bare": "bare", "faust": "faust_app", "confluent": "confluent_loop"}


def main() -> None:
    """Run the system that the first argument names, with the settings (JSON) of the second."""
    kind, settings = sys.argv[1], RunSettings.from_json(sys.argv[2])
    del sys.argv[1:]  # Faust's worker parses the command line as well
    import_module(f"load.baselines.{MODULES[kind]}").run(settings)


if __name__ == "__main__":
    main()
