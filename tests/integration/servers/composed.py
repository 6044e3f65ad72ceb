"""docker-compose.yml, loaded with the loader of the compose specification."""

import functools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CHECK = Path(__file__).parent / "compose_check"
FILE = ROOT / "docker-compose.yml"
SECRETS = ("TIDECAST_SIGNING_KEYS", "TIDECAST_REDIS_PASSWORD", "TIDECAST_CLICKHOUSE_PASSWORD", "GRAFANA_PASSWORD")

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")


@functools.cache
def loader() -> Path:
    """Return the path of the loader, which is built once."""
    program = Path(tempfile.mkdtemp(prefix="tidecast-go-")) / "compose_check"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=CHECK, check=True)
    return program


def load(file: Path, without: str = "", **given: str) -> "subprocess.CompletedProcess[str]":
    """Run the loader on a file. `given`: variables of .env beside the secrets; `without`: a secret that is not set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TIDECAST_", "GRAFANA_"))}
    secrets = {name: f"1=secret-of-{name}" for name in SECRETS if name != without}
    return subprocess.run(
        [loader(), file], env={**ours, **secrets, **given}, capture_output=True, text=True, check=False
    )


def composed(**given: str) -> dict[str, Any]:
    """Return the services. `given`: variables of .env beside the secrets."""
    loaded = load(FILE, **given)
    assert loaded.returncode == 0, loaded.stderr
    found: dict[str, Any] = json.loads(loaded.stdout)["services"]
    return found
