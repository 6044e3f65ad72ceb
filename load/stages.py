"""The stages of the system under test, as it lists them: `python -m agents.stages`."""

import json
import subprocess
import sys
from functools import cache
from typing import NamedTuple


class StageInfo(NamedTuple):
    """A stage, the worker process that it shares, and its fail points."""

    name: str
    process: str
    fail_points: tuple[str, ...]


@cache
def stages() -> tuple[StageInfo, ...]:
    """Return all stages, in the order of the flow."""
    listed = subprocess.run([sys.executable, "-m", "agents.stages"], capture_output=True, text=True, check=True).stdout
    return tuple(StageInfo(row["name"], row["process"], tuple(row["fail_points"])) for row in json.loads(listed))


def names() -> tuple[str, ...]:
    """Return the names of all stages."""
    return tuple(stage.name for stage in stages())


def in_process(process: str) -> tuple[str, ...]:
    """Return the names of the stages that share a worker process."""
    return tuple(stage.name for stage in stages() if stage.process == process)


def one_of_each_process() -> tuple[str, ...]:
    """Return one stage of each worker process, the last one: its name finds the process."""
    return tuple({stage.process: stage.name for stage in stages()}.values())
