import re
import subprocess
from pathlib import Path

import chdb

from agents.stack.downloads import KAFKA_VERSION, REGISTRY_VERSION
from agents.stack.parts import VALKEY_VERSION, Kafka, valkey_server
from agents.stack.place import StackFolder

COMPOSE = Path(__file__).parents[4] / "docker-compose.yml"
PORTS = {"kafka": 1, "kafka_controller": 2, "registry": 3, "redis": 4, "clickhouse": 5}


def listening(listeners: dict[int, str]) -> dict[str, object]:
    properties = Kafka.properties(StackFolder(Path("/data"), PORTS, listeners))
    return {key: value for key, value in properties.items() if "listener" in key}


def test_kafka_listens_for_brokers_and_controllers() -> None:
    assert listening({}) == {
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2",
        "advertised.listeners": "PLAINTEXT://127.0.0.1:1",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }


def test_further_listeners_tell_their_clients_where_to_come_back() -> None:
    listeners = {6: "127.0.0.1:7", 8: "kafka.example:9"}
    assert listening(listeners) == {
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,PROXY1://127.0.0.1:6,PROXY2://127.0.0.1:8",
        "advertised.listeners": "PLAINTEXT://127.0.0.1:1,PROXY1://127.0.0.1:7,PROXY2://kafka.example:9",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY1:PLAINTEXT,PROXY2:PLAINTEXT"
        ),
    }


def deployed(image: str) -> str:
    """Return the version of an image in docker-compose.yml."""
    (version,) = re.findall(rf"image: {image}:(\S+)", COMPOSE.read_text())
    return str(version)


def test_the_servers_that_are_deployed_are_those_that_are_tested() -> None:
    assert deployed("apache/kafka") == KAFKA_VERSION
    assert deployed("apicurio/apicurio-registry") == REGISTRY_VERSION
    assert deployed("valkey/valkey") == VALKEY_VERSION
    # chdb is built between ClickHouse's patch releases, so only the release series can be equal
    assert deployed("clickhouse/clickhouse-server").split(".")[:2] == chdb.engine_version.split(".")[:2]


def test_the_package_brings_the_server_of_that_version() -> None:
    told = subprocess.run([valkey_server(), "--version"], capture_output=True, text=True, check=True).stdout
    assert f"v={VALKEY_VERSION} " in told
