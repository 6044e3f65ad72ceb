"""Starts, shows and stops the local stack: `up`, `status` and `down`."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import psutil

from agents.settings import REMEMBERED
from agents.stack import process
from agents.stack.downloads import Say
from agents.stack.parts import PARTS, Part
from agents.stack.place import Running, StackFolder, locked, make_place, read_place
from agents.stack.ports import choose_ports, require_free
from streams.errors import SettingError, TidecastError, Unavailable

START_TIMEOUT = 90.0  # seconds from the start of a server to its first answer
OURS = ("kafka", "registry", "redis", "clickhouse", "models", "logs", "stack.json", "stack.lock", REMEMBERED, "faust")


@dataclass(frozen=True)
class PartStatus:
    """The state of a server: running, stopped (by `down`, or never started) or crashed."""

    name: str
    title: str
    state: str
    port: int | None = None
    pid: int | None = None
    uptime: float = 0.0
    memory: int = 0
    health: str = "-"

    @property
    def healthy(self) -> bool:
        """Whether the server runs and answers."""
        return self.health == "ok"


def up(
    folder: Path,
    say: Say,
    ports: Mapping[str, int] | None = None,
    port_base: int | None = None,
    listeners: Mapping[int, str] | None = None,
) -> StackFolder:
    """Start every server that does not run; return when all answer. Running servers are left alone.

    `listeners`: further ports of Kafka, each with the host:port that it advertises to clients. They are remembered
    until others are given.

    Raises SettingError (a port in use, a folder that cannot be written), and Unavailable, which names the server that
    failed with the last lines of its log. Servers that did start keep running.
    """
    # The folder comes first, because it holds the lock
    make_place(folder)
    with locked(folder.expanduser().resolve() / "stack.lock"):
        place = make_place(folder)
        told = dict(listeners or place.listeners)
        chosen = choose_ports(ports or {}, place.ports, port_base, told)
        missing = [part for part in PARTS if not process.find(place.processes.get(part.name))]
        _refuse_to_move(place, chosen, told, missing)
        place.ports, place.listeners = chosen, told
        _require_free_ports(place, missing)
        for part in missing:
            place.processes.pop(part.name, None)
        place.save()
        saving = Lock()
        with ThreadPoolExecutor(len(PARTS)) as pool:
            starts = [pool.submit(_start, part, place, say, saving) for part in missing]
            waits = [pool.submit(_wait, part, place, None) for part in PARTS if part not in missing]
        for future in (*starts, *waits):
            future.result()
    return place


def down(folder: Path, wipe: bool = False) -> list[str]:
    """End the servers that `up` started, and nothing else; with `wipe` remove their data. Returns the ended servers."""
    place = read_place(folder)
    if not place.file.exists():
        return []
    with locked(place.folder / "stack.lock"):
        place = read_place(folder)
        ended = [name for name, running in place.processes.items() if process.find(running)]
        process.stop(list(place.processes.values()))
        place.redis_socket.unlink(missing_ok=True)
        place.processes.clear()
        place.save()
        if wipe:
            _wipe(place)
    return ended


def status(folder: Path) -> list[PartStatus]:
    """Return the state of each server; every running one is asked for its health."""
    place = read_place(folder)
    with ThreadPoolExecutor(len(PARTS)) as pool:
        return list(pool.map(lambda part: _status(part, place), PARTS))


def _status(part: Part, place: StackFolder) -> PartStatus:
    known = place.processes.get(part.name)
    port = place.ports.get(part.ports[0])
    found = process.find(known)
    if found is None:
        return PartStatus(part.name, part.title, "crashed" if known else "stopped", port)
    health = "ok"
    try:
        part.ask(place, found.pid)
    except TidecastError as error:
        health = str(error)
    try:
        memory, uptime = found.memory_info().rss, time.time() - found.create_time()
    except psutil.Error:
        return PartStatus(part.name, part.title, "crashed", port)
    return PartStatus(part.name, part.title, "running", port, found.pid, uptime, memory, health)


def _refuse_to_move(
    place: StackFolder, chosen: Mapping[str, int], told: Mapping[int, str], missing: list[Part]
) -> None:
    if told != place.listeners and all(part.name != "kafka" for part in missing):
        raise SettingError("Kafka is running; to change its listeners, run `tidecast stack down` first.")
    for part in PARTS:
        for name in part.ports:
            if part not in missing and chosen[name] != place.ports[name]:
                raise SettingError(
                    f"{part.title} runs on port {place.ports[name]} already; to move it to {chosen[name]}, "
                    "run `tidecast stack down` first."
                )


def _require_free_ports(place: StackFolder, missing: list[Part]) -> None:
    for part in missing:
        for name in part.ports:
            require_free(name, place.ports[name], f"--port {name}=N")
        if part.name == "kafka":
            for port, told in place.listeners.items():
                require_free("kafka-listener", port, f"--kafka-listener N:{told}")


def _start(part: Part, place: StackFolder, say: Say, saving: Lock) -> None:
    begun = time.monotonic()
    start = part.prepare(place, say)
    with saving:  # the process id is saved at once: a server that is not remembered could never be ended
        running, child = process.start(start.command, start.env, place.log(part.name))
        place.processes[part.name] = running
        place.save()
    _wait(part, place, child)
    say(f"{part.title} is up on port {place.ports[part.ports[0]]} ({time.monotonic() - begun:.1f} s)")


def _wait(part: Part, place: StackFolder, child: subprocess.Popen[bytes] | None) -> None:
    """Wait until the server answers. Raises Unavailable with the end of its log when it ends or takes too long."""
    running: Running = place.processes[part.name]
    until = time.monotonic() + START_TIMEOUT
    while True:
        try:
            part.ask(place, running.pid)
            return
        except Unavailable as error:
            if process.find(running) is None:
                code = f" with exit code {child.poll()}" if child else ""
                raise Unavailable(_with_log(f"{part.title} ended{code} while starting", part, place)) from error
            if time.monotonic() > until:
                why = f"{part.title} does not answer after {START_TIMEOUT:.0f} s ({error})"
                raise Unavailable(_with_log(why, part, place)) from error
        time.sleep(0.05)


def _with_log(sentence: str, part: Part, place: StackFolder) -> str:
    lines = process.last_lines(place.log(part.name))
    quoted = "".join(f"\n  | {line}" for line in lines)
    return f"{sentence}; the last lines of {place.log(part.name)}:{quoted}"


def _wipe(place: StackFolder) -> None:
    """Remove what the stack created; other things in the folder stay."""
    for name in OURS:
        path = place.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(place.folder.iterdir()):
        place.folder.rmdir()
