import json
import stat
from pathlib import Path

import pytest
import redis

from agents.stack.place import SOCKET_PATH_LIMIT, Running, locked, make_place, read_place
from streams.errors import SettingError

PORTS = {"kafka": 1, "kafka_controller": 2, "registry": 3, "redis": 4, "clickhouse": 5}


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    place.ports = PORTS
    place.listeners = {6: "127.0.0.1:7"}
    place.processes["redis"] = Running(12, 3.5)
    place.save()
    again = make_place(tmp_path)
    assert again == place
    id, _, secret = again.signing_keys.partition("=")
    assert (id, len(bytes.fromhex(secret))) == ("1", 32)


def test_a_stack_from_before_keys_had_ids_keeps_its_key(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    place.ports = PORTS
    place.save()
    content = json.loads(place.file.read_text())
    del content["signing_keys"]
    place.file.write_text(json.dumps({**content, "signing_key": "00ff"}))
    again = make_place(tmp_path)
    assert (again.signing_key, again.signing_keys) == ("00ff", "")


def test_a_file_from_before_listeners_is_read(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    place.ports = PORTS
    place.save()
    content = json.loads(place.file.read_text())
    del content["kafka_listeners"]
    place.file.write_text(json.dumps(content))
    assert read_place(tmp_path) == place


def test_only_the_owner_reads_the_signing_key(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    place.ports = PORTS
    place.save()
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600


def test_clients_find_the_addresses_at_the_top_of_the_file(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    place.ports = PORTS
    place.save()
    content = json.loads(place.file.read_text())
    assert content["kafka"] == "127.0.0.1:1"
    assert content["registry"] == "http://127.0.0.1:3/apis/ccompat/v7"
    assert content["redis"] == f"unix://{tmp_path}/redis/redis.sock"
    assert content["clickhouse"] == "http://127.0.0.1:5"
    assert content["model_store"] == f"file://{tmp_path}/models"
    assert (tmp_path / "models").is_dir()


def test_a_space_in_the_path_is_no_hindrance(tmp_path: Path) -> None:
    place = make_place(tmp_path / "my data")
    place.ports = PORTS
    socket = redis.from_url(place.addresses()["redis"]).connection_pool.connection_kwargs["path"]
    assert socket == str(place.redis_socket)


def test_a_long_path_puts_the_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * SOCKET_PATH_LIMIT)
    one, two = make_place(folder), make_place(tmp_path / ("y" * SOCKET_PATH_LIMIT))
    assert len(str(one.redis_socket)) <= SOCKET_PATH_LIMIT
    assert one.redis_socket != two.redis_socket


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"ports": 1}', '{"ports": {"kafka": "x"}}', "\x00"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(SettingError, match="move it away"):
        read_place(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="--data"):
        make_place(tmp_path / "file" / "below")


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(SettingError, match="Another"), locked(tmp_path / "lock", 0.0):
        pass
    with locked(tmp_path / "lock", 0.0):
        pass
