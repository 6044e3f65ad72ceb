import socket
from collections.abc import Iterator

import pytest

from agents.stack.place import PORT_NAMES
from agents.stack.ports import choose_ports, is_free, require_free
from streams.errors import SettingError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_part_gets_a_free_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.stack.ports.is_free", lambda port: port % 3 == 0)
    found = choose_ports({}, {}, None)
    assert set(found) == set(PORT_NAMES)
    assert len(set(found.values())) == len(PORT_NAMES)
    assert all(port % 3 == 0 for port in found.values())


def test_remembered_ports_stay() -> None:
    first = choose_ports({}, {}, None)
    assert choose_ports({}, first, None) == first


def test_asked_by_name_wins_over_base_over_remembered() -> None:
    remembered = dict.fromkeys(PORT_NAMES, 1)
    ports = choose_ports({"redis": 6379}, remembered, 21000)
    assert ports == {
        "kafka": 21000,
        "kafka_controller": 21001,
        "registry": 21002,
        "redis": 6379,
        "clickhouse": 21004,
    }


def test_a_listener_has_a_port_of_its_own() -> None:
    with pytest.raises(SettingError, match="both redis and kafka-listener"):
        choose_ports({"redis": 6379}, {}, None, [6379])


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"redis": 9092, "kafka": 9092}, "both"), ({"kafka": 0}, "not a port"), ({"kafka": 70000}, "not a port")],
)
def test_impossible_wishes_are_refused(asked: dict[str, int], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        choose_ports(asked, {}, None)


def test_a_port_in_use_names_its_user_and_the_remedy(taken: int) -> None:
    with pytest.raises(SettingError, match=rf"Port {taken} for kafka is in use by .*process .*--port kafka=N"):
        require_free("kafka", taken, "--port kafka=N")


def test_a_port_in_use_on_all_addresses_is_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])
