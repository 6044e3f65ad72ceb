"""The whole system of a run: servers, a link from each worker to each server, workers, topics."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from load.chaos import disk, guards
from load.chaos.events import USE_CASE, wall_use_case
from load.chaos.proxy import HOST, Link, Proxies
from load.chaos.servers import PARTS, Servers, free_ports
from load.chaos.workers import ALWAYS, KINDS, SCORERS, ChaosWorker, ChaosWorkers, environment, tidecast
from load.stages import stages

PARTITIONS = 12
TARGETS = {"buys": ("logistic", "tree"), "spend": ("linear",), "leaves": ("prior",), "likes": ("logistic", "forest")}
SERVE_EVERY = {"buys": 200, "spend": 100, "leaves": 100, "likes": 50}
REBUILD_TRIES = 20
READY_S = 180.0
START_TRIES = 3


class ChaosSystem:
    """Everything of a run in one folder. `healed` is set when all faults must end, and `hushed` while the producers
    are silent.

    silent: what no worker has told although it should have."""

    def __init__(self, folder: Path, settings: dict[str, str], without: Sequence[str] = (), wall: bool = False) -> None:
        """settings: TIDECAST_ variables of the workers. without: guards that are switched off. wall: workers write the
        ticks."""
        self.folder = folder
        self.wall = wall
        self.hushed = threading.Event()
        self._use_case = wall_use_case(folder / "use_case") if wall else USE_CASE
        self.servers = Servers(folder)
        self.healed = threading.Event()
        self.points = folder / "points"
        self.models = folder / "models"
        self.hits: list[str] = []
        self.silent: list[str] = []
        self.links: dict[tuple[str, str], Link] = {}
        self._settings = settings
        self._without = without
        self._proxies = Proxies()

    def start(self) -> None:
        """Start servers, links and workers, and create the topics."""
        (self.points / "hits").mkdir(parents=True)
        (self.folder / "mounts").mkdir()
        disk.mount(self.models)
        for name in KINDS:
            self.mount_models(name)
        self._proxies.__enter__()
        self._servers_up()
        ports = self.servers.stack["ports"]
        for name in KINDS:
            for part in PARTS[1:]:
                self.links[name, part] = self._proxies.link(f"{name}>{part}", HOST, ports[part])
        self.run("deploy", str(self._use_case), "--partitions", str(PARTITIONS))
        self.servers.watch()
        self.workers = ChaosWorkers({name: self._worker(name) for name in KINDS}, self._rebuild)
        self.workers.start(ALWAYS)

    def _servers_up(self) -> None:
        """Start the servers, with a Kafka listener behind a link for each worker.

        If another process took a port in between, try again with other ports."""
        for left in reversed(range(START_TRIES)):
            inner = free_ports(len(KINDS))
            for name, port in zip(KINDS, inner, strict=True):
                self.links[name, "kafka"] = self._proxies.link(f"{name}>kafka:{port}", HOST, port)
            outer = [self.links[name, "kafka"].port for name in KINDS]
            try:
                self.servers.up([f"--kafka-listener={i}:{o}" for i, o in zip(inner, outer, strict=True)])
                return
            except subprocess.CalledProcessError:
                if not left:
                    raise
                self.servers.clear()  # the servers that started hold other ports

    def model_mount(self, name: str) -> Path:
        """Return the path by which a worker reaches the model store."""
        return self.folder / "mounts" / name

    def mount_models(self, name: str) -> None:
        """Make the model store visible to a worker."""
        mount = self.model_mount(name)
        if not mount.is_symlink():
            mount.symlink_to(self.models, target_is_directory=True)

    def _worker(self, name: str) -> ChaosWorker:
        own = {
            "TIDECAST_KAFKA": self.links[name, "kafka"].address,
            "TIDECAST_REDIS_URL": f"redis://{self.links[name, 'redis'].address}/0",
            "TIDECAST_CLICKHOUSE_URL": f"http://{self.links[name, 'clickhouse'].address}",
            "TIDECAST_REGISTRY": f"http://{self.links[name, 'registry'].address}/apis/ccompat/v7",
            "TIDECAST_MODEL_STORE": self.model_mount(name).as_uri(),
            "TIDECAST_FAIL_POINTS": str(self.points),
            **self._settings,
        }
        if self._without:
            own |= guards.without(*self._without)
        return ChaosWorker(name, environment(self.folder, own), self.folder / "logs" / f"{quote(name)}.log")

    def run(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command of tidecast, connected to the servers without proxies. Raises RuntimeError when it fails, if
        `check`."""
        done = subprocess.run(
            tidecast(*arguments),
            env=environment(self.folder, {"TIDECAST_USE_CASE": str(self._use_case), **self._settings}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"tidecast {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def status(self) -> dict[str, Any]:
        """Return what `tidecast status --json` prints."""
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def wait_ready(self) -> None:
        """Wait until all permanent workers report that they are ready. Raises RuntimeError when one has failed."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until and not self.workers.failures:
            if len(self.ready()) == len(ALWAYS):
                return
            time.sleep(0.3)
        if self.workers.failures:
            raise RuntimeError(f"a worker ended before it was ready: {self.workers.failures[0]}")
        raise RuntimeError(f"the workers were not ready after {READY_S:.0f} s")

    @property
    def is_ticking(self) -> bool:
        """Return whether workers write ticks."""
        return self.wall and any(self.workers.all[name].wanted for name in SCORERS)

    def ready(self) -> set[Path]:
        """Return the health files of the workers that report that they are ready."""
        return {file for file in (self.folder / "run").glob("*.health") if _is_ready(file)}

    def is_paused(self) -> bool:
        """Return whether time stands still in some partition; False as well while nobody can tell."""
        done = self.run("status", "--json", check=False)
        return done.returncode == 0 and bool(json.loads(done.stdout)["paused"])

    def problems(self, name: str) -> list[str]:
        """Return what workers say of an entry of their health, where it is red."""
        entries = [entry for file in (self.folder / "run").glob("*.health") for entry in _health(file)]
        return [entry["problem"] for entry in entries if entry["name"] == name and entry["problem"]]

    def versions(self, target: str, arm: str) -> int:
        """Return the number of snapshots of an arm."""
        return len(list(self.models.glob(f"*/{target}/{arm}/**/*.snapshot")))

    def pause(self, seconds: float) -> None:
        """Wait `seconds`, or until all faults must end."""
        self.healed.wait(seconds)

    def heal(self) -> None:
        """End all faults: heal every link, show the model store to every worker, disarm fail points, start every
        server."""
        self.healed.set()
        for link in self.links.values():
            link.heal()
        for name in KINDS:
            self.mount_models(name)
        for armed in self.points.glob("*.*"):
            armed.unlink(missing_ok=True)
        with self.servers.lock:
            self.servers.up()

    def fail_points(self) -> list[str]:
        """Return all fail points of all stages as STAGE.POINT, as the code under test lists them."""
        learners = [f"learning-{target}-{arm}" for target, arms in TARGETS.items() for arm in arms]
        members = {stage.name: learners[:2] if stage.name == "learning" else [stage.name] for stage in stages()}
        points = dict.fromkeys(point for stage in stages() for point in stage.fail_points)
        return [
            f"{member}.{point}"
            for point in points
            for stage in stages()
            if point in stage.fail_points
            for member in members[stage.name]
        ]

    def _rebuild(self) -> None:
        """Run `tidecast rebuild`, again if a server is away."""
        for _ in range(REBUILD_TRIES):
            done = self.run("rebuild", "--yes", check=False)
            with (self.folder / "rebuild.log").open("a") as log:
                log.write(done.stdout + done.stderr)
            if done.returncode == 0:
                return
            time.sleep(1.0)
        self.workers.failures.append(f"rebuild did not succeed:\n{done.stdout}{done.stderr}")

    def abort(self) -> None:
        """Kill the workers and end the servers."""
        self.healed.set()
        if hasattr(self, "workers"):
            self.workers.kill()
        self.servers.down(wipe=True)
        disk.unmount(self.models)

    def end(self, wipe: bool) -> None:
        """End everything that runs. `wipe`: also remove the servers' data."""
        if hasattr(self, "workers"):
            self.workers.end()
        self._proxies.__exit__(None, None, None)
        disk.unmount(self.models)
        self.servers.down(wipe)


def _health(file: Path) -> list[dict[str, Any]]:
    """Return the health of the worker whose address is in `file`, red or green."""
    try:
        with urllib.request.urlopen(file.read_text().strip() + "/healthz", timeout=2) as answer:
            entries: list[dict[str, Any]] = json.load(answer)
    except urllib.error.HTTPError as red:
        entries = json.load(red)
    except (OSError, ValueError):
        return []
    return entries


def _is_ready(file: Path) -> bool:
    """Return whether the worker is ready whose address is in `file`."""
    try:
        with urllib.request.urlopen(file.read_text().strip() + "/readyz", timeout=2):
            return True
    except (OSError, ValueError):
        return False
