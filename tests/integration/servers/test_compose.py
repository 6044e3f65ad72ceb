"""docker-compose.yml, checked with the loader of the compose specification and against our code. Requires Go."""

import re
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
from tests.integration.servers.composed import FILE, ROOT, SECRETS, composed, load, needs_go

WORKERS = tuple(STAGES)
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

pytestmark = needs_go


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return composed()


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
    ours = {"deploy", *WORKERS}
    assert len(mounted) == 4 + len(ours) and all(volume["read_only"] for volume in mounted)
    assert all(any(v["target"] == "/usecases" for v in services[name]["volumes"]) for name in ours)
    assert all(Path(volume["source"]).exists() for volume in mounted)


def test_nothing_is_published_beyond_this_host_unasked(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published and all(port["host_ip"] == "127.0.0.1" for port in published)


@pytest.mark.parametrize("name", ["deploy", *WORKERS])
def test_settings_are_ours(services: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in services[name]["environment"].items():
        if variable == "TIDECAST_USE_CASE":
            continue  # an option of the commands
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


def test_memory_is_limited_everywhere_and_said(services: dict[str, Any]) -> None:
    limits = {name: int(service["mem_limit"]) for name, service in services.items()}
    assert f"up to {sum(limits.values()) >> 30} GB" in FILE.read_text()
    options = services["redis"]["command"]
    data = options[options.index("--maxmemory") + 1]
    assert int(data[:-2]) * UNITS[data[-2]] <= limits["redis"] * 2 / 3, "copying the append-only file needs room"
    heap = services["kafka"]["environment"]["KAFKA_HEAP_OPTS"].rpartition("-Xmx")[2]
    assert int(heap[:-1]) * UNITS[heap[-1]] <= limits["kafka"] / 2


def test_what_reads_its_data_first_gets_time_before_it_counts_as_ill(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert name == "deploy" or "start_period" in service["healthcheck"], name


@pytest.mark.parametrize("named", ["retail", "/usecases/myshop"])
def test_one_variable_names_the_use_case_for_every_service(named: str) -> None:
    found = composed(TIDECAST_USE_CASE=named)
    assert {found[name]["environment"]["TIDECAST_USE_CASE"] for name in ("deploy", *WORKERS)} == {named}
    assert found["deploy"]["command"] == ["deploy", named]


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


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    text = FILE.read_text()
    wrong.write_text(text.replace("healthcheck:", "healthchek:"))
    refused = load(wrong)
    assert refused.returncode == 1
    assert "healthchek" in refused.stderr


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_has_a_default(secret: str) -> None:
    refused = load(FILE, without=secret)
    assert refused.returncode == 1
    assert secret in refused.stderr
