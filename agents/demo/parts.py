"""The processes of the demo: a stack in its own folder, the workers, the simulation."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.operations.deploy import Deployed, deploy
from agents.settings import Settings, load_settings
from agents.stack.downloads import Say
from agents.stack.process import last_lines
from agents.stack.supervise import down, up
from streams.errors import TidecastError
from streams.usecases import load_use_case

USE_CASE = "telecom"
KEPT = ("TIDECAST_CACHE",)
"""Environment variables that the demo keeps; others could lead it to another system."""
PATIENCE_S = 30.0
TIDECAST = (sys.executable, "-c", "from agents.cli import main; main()")


@dataclass
class Parts:
    """The processes that the demo has started, with their data folder."""

    folder: Path
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    stack: bool = False

    def start_stack(self, say: Say) -> Settings:
        """Start a fresh stack and return the settings to reach it. Data of an earlier demo is removed."""
        for name in [name for name in os.environ if name.startswith("TIDECAST_") and name not in KEPT]:
            del os.environ[name]
        os.environ["TIDECAST_DATA"] = str(self.folder)
        down(self.folder, wipe=True)
        self.stack = True
        up(self.folder, say)
        return load_settings()

    def deploy(self, settings: Settings) -> Deployed:
        """Deploy the telecom use case to the fresh logs."""
        return deploy(settings, load_use_case(USE_CASE))

    def start_worker(self) -> None:
        """Start workers for all stages."""
        self._start("worker", (*TIDECAST, "worker", "--use-case", USE_CASE))

    def start_simulation(self, arguments: Sequence[str]) -> None:
        """Start the simulated customers."""
        self._start("simulation", (sys.executable, "-m", "load.telecom", *arguments))

    def log(self, name: str) -> Path:
        """Return the log file of a part."""
        return self.folder / "logs" / f"{name}.log"

    def ended(self, name: str) -> bool:
        """Return whether a part has ended well. Raises TidecastError, with the end of its log, when it failed."""
        code = self.children[name].poll()
        if code:
            lines = "".join(f"\n  | {line}" for line in last_lines(self.log(name)))
            raise TidecastError(f"The {name} ended with code {code}; the last lines of {self.log(name)}:{lines}")
        return code == 0

    def simulated_events(self) -> int:
        """Return how many events the simulation reports as published."""
        found = re.search(r"([0-9]+) events", self.log("simulation").read_text(errors="replace"))
        return int(found[1]) if found else 0

    def end(self, keep: bool) -> None:
        """End everything; with `keep` the workers and the stack keep running."""
        for name in ("simulation",) if keep else ("simulation", "worker"):
            child = self.children.get(name)
            if child is not None and child.poll() is None:
                child.terminate()
                try:
                    child.wait(PATIENCE_S)
                except subprocess.TimeoutExpired:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        if self.stack and not keep:
            down(self.folder)

    def _start(self, name: str, command: Sequence[str]) -> None:
        # A session of its own: ^C reaches the demo only, which ends its parts in order.
        with self.log(name).open("wb") as log:
            self.children[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
