from pathlib import Path

from agents.stack.parts import Kafka
from agents.stack.place import Place

PORTS = {"kafka": 1, "kafka_controller": 2, "registry": 3, "redis": 4, "clickhouse": 5}


def listening(listeners: dict[int, str]) -> dict[str, object]:
    properties = Kafka.properties(Place(Path("/data"), PORTS, listeners))
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
