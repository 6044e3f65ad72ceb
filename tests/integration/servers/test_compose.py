"""docker-compose.yml, checked with the loader of the compose specification and against our code. Requires Go."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from agents.cli import tidecast
from agents.settings import Settings
from agents.stack.parts import valkey_server
from agents.stages import STAGES
from sinks.redis.client import check_server, connect
from tests.contract.servers import redis_server

ROOT = Path(__file__).parents[3]
CHECK = Path(__file__).parent / "compose_check"
WORKERS = tuple(STAGES)
SECRETS = ("TIDECAST_SIGNING_KEY", "TIDECAST_REDIS_PASSWORD", "TIDECAST_CLICKHOUSE_PASSWORD", "GRAFANA_PASSWORD")

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "compose_check"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=CHECK, check=True)
    return program


def load(loader: Path, file: Path, without: str = "") -> "subprocess.CompletedProcess[str]":
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TIDECAST_", "GRAFANA_"))}
    secrets = {name: f"secret of {name}" for name in SECRETS if name != without}
    return subprocess.run([loader, file], env={**ours, **secrets}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def services(loader: Path) -> dict[str, Any]:
    loaded = load(loader, ROOT / "docker-compose.yml")
    assert loaded.returncode == 0, loaded.stderr
    found: dict[str, Any] = json.loads(loaded.stdout)["services"]
    return found


def test_all_parts_are_there_with_pinned_versions(services: dict[str, Any]) -> None:
    parts = {"kafka", "registry", "redis", "clickhouse", "grafana", "prometheus"}
    assert set(services) == {*parts, *WORKERS, "deploy"}
    for name, service in services.items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+(\.\d+){2,3}", service["image"]), name
        assert ("build" in service) == (name not in parts)


def test_what_runs_is_watched_and_what_must_be_ready_is_waited_for(services: dict[str, Any]) -> None:
    healthy = {name for name, service in services.items() if "healthcheck" in service}
    assert healthy == set(services) - {"deploy"}
    for name in WORKERS:
        waits = {on: how["condition"] for on, how in services[name]["depends_on"].items()}
        assert waits.pop("deploy") == "service_completed_successfully"
        assert set(waits.values()) == {"service_healthy"}


def test_what_must_last_lies_in_volumes_and_what_is_mounted_exists(services: dict[str, Any]) -> None:
    for name in ("kafka", "redis", "clickhouse", "prometheus", "grafana", *WORKERS):
        assert any(volume["type"] == "volume" for volume in services[name]["volumes"]), name
    mounted = [v for service in services.values() for v in service.get("volumes", []) if v["type"] == "bind"]
    assert len(mounted) == 4
    assert all(Path(volume["source"]).exists() for volume in mounted)


def test_nothing_is_published_beyond_this_host_unasked(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published and all(port["host_ip"] == "127.0.0.1" for port in published)


@pytest.mark.parametrize("name", ["deploy", *WORKERS])
def test_settings_are_ours(services: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in services[name]["environment"].items():
        assert variable.removeprefix("TIDECAST_").lower() in Settings.model_fields
        monkeypatch.setenv(variable, value or "")
    assert Settings().kafka == "kafka:19092"


@pytest.mark.parametrize("name", ["deploy", *WORKERS])
def test_commands_are_understood(services: dict[str, Any], name: str) -> None:
    name, *arguments = services[name]["command"]
    command = tidecast.get_command(click.Context(tidecast), name)
    assert command is not None
    command.make_context(name, arguments)  # raises UsageError for an unknown option or agent


def test_the_command_of_redis_starts_a_server_that_keeps_what_it_is_given(services: dict[str, Any]) -> None:
    service = services["redis"]
    program, *options = service["command"]
    assert program == valkey_server().name
    password = service["environment"]["VALKEYCLI_AUTH"]
    with redis_server(*options) as server, connect(f"unix://{server.folder}/redis.sock", password=password) as client:
        check_server(client)
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_prometheus_scrapes_every_worker() -> None:
    config = (ROOT / "docs/compose/prometheus.yml").read_text()
    assert f"names: [{', '.join(WORKERS)}]" in config
    assert "port: 9464" in config


def test_dashboards_use_provisioned_sources() -> None:
    provisioned = set(re.findall(r"uid: (\S+)", (ROOT / "docs/compose/grafana/datasources.yml").read_text()))
    for dashboard in (ROOT / "sinks/clickhouse/dashboards").glob("*.json"):
        sources = re.findall(r'"datasource":\s*\{[^}]*?"uid":\s*"([^"]+)"', dashboard.read_text())
        variable = "${datasource}"  # the user selects one of the provisioned sources of its type
        assert set(sources) - {"-- Grafana --", variable} <= provisioned, dashboard.name


def test_a_misspelt_key_is_refused(loader: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    wrong.write_text(text.replace("healthcheck:", "healthchek:"))
    refused = load(loader, wrong)
    assert refused.returncode == 1
    assert "healthchek" in refused.stderr


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_has_a_default(loader: Path, secret: str) -> None:
    refused = load(loader, ROOT / "docker-compose.yml", without=secret)
    assert refused.returncode == 1
    assert secret in refused.stderr
