"""The data folder of a local stack: its paths, its ports, and the `stack.json` that clients read."""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streams.errors import SettingError

PORT_NAMES = ("kafka", "kafka_controller", "registry", "redis", "clickhouse")
"""The ports that a stack listens on. With `--port-base N` they are N, N+1, … in this order."""

SOCKET_PATH_LIMIT = 100  # the kernel's limit is 108 bytes, 104 on macOS


@dataclass(frozen=True)
class Running:
    """A server process: its id and its start time (seconds since 1970), which identify it together."""

    pid: int
    started: float


@dataclass
class StackFolder:
    """A data folder, with the ports and processes that it remembers."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    listeners: dict[int, str] = field(default_factory=dict)
    """Kafka's further ports → the host:port that it advertises to clients."""
    signing_key: str = ""
    """The key without an id of a stack from before keys had ids."""
    signing_keys: str = ""
    cluster_id: str = ""
    processes: dict[str, Running] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The file that holds all this. Only its owner may read it, because it holds the signing key."""
        return self.folder / "stack.json"

    def log(self, part: str) -> Path:
        """Return the log file of a server."""
        return self.folder / "logs" / f"{part}.log"

    @property
    def redis_socket(self) -> Path:
        """Redis's unix socket: in the data folder, or in the temporary folder when that path is too long."""
        path = self.folder / "redis" / "redis.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        return Path(tempfile.gettempdir()) / f"tidecast-{self.cluster_id}.sock"

    def addresses(self) -> dict[str, str]:
        """Return what clients need to reach the servers: the keys of `agents.settings`."""
        return {
            "kafka": f"127.0.0.1:{self.ports['kafka']}",
            "registry": f"http://127.0.0.1:{self.ports['registry']}/apis/ccompat/v7",
            "redis": f"unix://{quote(str(self.redis_socket))}",
            "clickhouse": f"http://127.0.0.1:{self.ports['clickhouse']}",
            "model_store": (self.folder / "models").as_uri(),
        }

    def save(self) -> None:
        """Write `stack.json` atomically, so that a reader never sees half of it."""
        content = {
            **self.addresses(),
            "signing_key": self.signing_key,
            "signing_keys": self.signing_keys,
            "cluster_id": self.cluster_id,
            "ports": self.ports,
            "kafka_listeners": self.listeners,
            "pids": {part: vars(running) for part, running in self.processes.items()},
        }
        scratch = self.file.with_suffix(".json.new")
        scratch.unlink(missing_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(self.file)


def read_place(folder: Path) -> StackFolder:
    """Read what a data folder remembers; an empty `StackFolder` for a folder without a stack. Raises SettingError."""
    place = StackFolder(folder.expanduser().resolve())
    try:
        content: dict[str, Any] = json.loads(place.file.read_text())
        place.ports = {name: int(port) for name, port in content["ports"].items()}
        place.listeners = {int(port): str(told) for port, told in content.get("kafka_listeners", {}).items()}
        place.signing_key = content["signing_key"]
        place.signing_keys = content.get("signing_keys", "")
        place.cluster_id = content["cluster_id"]
        place.processes = {part: Running(**known) for part, known in content["pids"].items()}
    except (FileNotFoundError, NotADirectoryError):
        pass  # no stack here yet
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(
            f"{place.file} cannot be read ({error!r}); "
            "move it away and run `tidecast stack up` again, which writes a new one."
        ) from error
    return place


def make_place(folder: Path) -> StackFolder:
    """Read a place as `read_place` does, and create the folder, a signing key and a cluster id where they are
    missing."""
    place = read_place(folder)
    try:
        for name in ("logs", "redis", "registry", "clickhouse", "models"):
            (place.folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"The data folder {place.folder} cannot be written ({error.strerror}); choose one with --data."
        ) from error
    if not place.signing_key and not place.signing_keys:
        place.signing_keys = f"1={secrets.token_hex(32)}"
    # Kafka expects 16 bytes in URL-safe base64; a leading dash would be taken for an option
    while not place.cluster_id or place.cluster_id.startswith("-"):
        place.cluster_id = secrets.token_urlsafe(16)
    return place


@contextlib.contextmanager
def locked(path: Path, patience: float = 300.0) -> Iterator[None]:
    """Hold the lock file `path`, one process at a time. Raises SettingError after waiting for `patience` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise SettingError(
                        f"Another `tidecast stack` command has held {path} for {patience:.0f} s; "
                        "let it end, or end it, and try again."
                    ) from None
                time.sleep(0.1)
        yield
