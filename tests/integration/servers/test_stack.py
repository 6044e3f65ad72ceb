"""The local stack with real servers: two stacks, a second `up`, kills, `down`, and a restart."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.stack import process
from agents.stack.place import read_place
from agents.stack.ports import choose_ports
from agents.stack.supervise import down, status, up
from load.chaos.proxy import Link, Proxies
from streams.errors import SettingError, Unavailable
from tests.integration.conftest import Stack, Tidecast, tidecast_command
from tests.waiting import PATIENCE_S, until

SCHEMA = {"schema": json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]})}

QUIET = {"log_level": 0}  # the broker is stopped on purpose


@pytest.fixture(scope="module")
def inner_port() -> int:
    """Return another port for the second stack's Kafka."""
    return choose_ports({}, {}, None)["kafka"]


@pytest.fixture(scope="module")
def link(inner_port: int) -> Iterator[Link]:
    """Yield a link to that port. Tests can cut it."""
    with Proxies() as proxies:
        yield proxies.link("kafka", "127.0.0.1", inner_port)


@pytest.fixture(scope="module")
def own(stack: Stack, inner_port: int, link: Link) -> Iterator[Path]:
    """Start a second stack that these tests may damage. Yield its folder."""
    folder = Path(tempfile.mkdtemp(prefix="tidecast-own-"))
    try:
        up(folder, print, listeners={inner_port: link.address})
        yield folder
    finally:
        down(folder, wipe=True)
        shutil.rmtree(folder, ignore_errors=True)


def states(folder: Path) -> dict[str, str]:
    return {part.name: part.state for part in status(folder)}


def kill(folder: Path, part: str) -> None:
    known = read_place(folder).processes[part]
    os.kill(known.pid, signal.SIGKILL)
    until(lambda: process.find(known) is None)


def test_all_parts_are_healthy_when_up_returns(stack: Stack, tidecast: Tidecast) -> None:
    shown = tidecast("stack", "status").stdout
    assert shown.count("running") == 4
    assert shown.count(" ok") == 4


def test_two_stacks_live_side_by_side(stack: Stack, own: Path) -> None:
    assert all(part.healthy for part in status(own))
    ours, theirs = read_place(stack.folder).ports, read_place(own).ports
    assert not set(ours.values()) & set(theirs.values())


def test_a_second_up_changes_nothing(own: Path) -> None:
    before = read_place(own)
    assert up(own, print) == before


def test_a_port_of_somebody_else_is_one_sentence_and_nothing_starts(stack: Stack, tmp_path: Path) -> None:
    port = read_place(stack.folder).ports["redis"]
    command = tidecast_command("stack", "up", "--data", str(tmp_path / "new"), "--port", f"redis={port}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Port {port} for redis is in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert set(states(tmp_path / "new").values()) == {"stopped"}


def test_a_running_part_cannot_be_moved(own: Path) -> None:
    with pytest.raises(SettingError, match="stack down"):
        up(own, print, {"kafka": 9})
    with pytest.raises(SettingError, match="stack down"):
        up(own, print, listeners={9: "127.0.0.1:10"})


@pytest.mark.parametrize("part", ["redis", "registry", "kafka", "clickhouse"])
def test_a_killed_part_is_named_and_up_starts_it_alone(own: Path, part: str) -> None:
    before = read_place(own)
    kill(own, part)
    assert states(own) == {name: "crashed" if name == part else "running" for name in before.processes}
    done = subprocess.run(
        tidecast_command("stack", "status", "--data", str(own)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "crashed; the last lines of" in done.stderr
    after = up(own, print)
    changed = {name for name in before.processes if before.processes[name] != after.processes[name]}
    assert changed == {part}
    assert all(found.healthy for found in status(own))


def test_everything_survives_down_and_up(own: Path) -> None:
    place = read_place(own)
    at = place.addresses()
    admin = AdminClient({"bootstrap.servers": at["kafka"], **QUIET})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(PATIENCE_S)
    producer = Producer({"bootstrap.servers": at["kafka"], **QUIET})
    producer.produce("kept", b"x")
    assert producer.flush(PATIENCE_S) == 0
    registered = httpx2.post(f"{at['registry']}/subjects/R/versions", json=SCHEMA).json()["id"]
    redis.from_url(at["redis"]).set("kept", "x")
    for query in ("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a", "INSERT INTO kept VALUES (7)"):
        httpx2.post(at["clickhouse"], content=query).raise_for_status()

    assert set(down(own)) == {"kafka", "registry", "redis", "clickhouse"}
    assert set(states(own).values()) == {"stopped"}
    again = up(own, print)

    assert (again.ports, again.signing_keys) == (place.ports, place.signing_keys)
    where = TopicPartition("kept", 0)
    consumer = Consumer({"bootstrap.servers": at["kafka"], "group.id": "g", **QUIET})
    assert consumer.get_watermark_offsets(where, timeout=PATIENCE_S) == (0, 1)
    consumer.close()
    kept = httpx2.get(f"{at['registry']}/schemas/ids/{registered}").json()["schema"]
    assert json.loads(kept) == json.loads(SCHEMA["schema"])
    assert redis.from_url(at["redis"]).get("kept") == b"x"
    assert httpx2.post(at["clickhouse"], content="SELECT a FROM kept").text == "7\n"


def test_kafka_through_a_proxy_fails_when_cut_and_goes_on_when_healed(own: Path, link: Link) -> None:
    up(own, print)  # Kafka was stopped above: a plain `up` keeps its listeners
    at = {"bootstrap.servers": link.address, "reconnect.backoff.max.ms": 100, **QUIET}
    admin = AdminClient(at)
    admin.create_topics([NewTopic("cut", 1, 1)])["cut"].result(PATIENCE_S)
    brokers = admin.list_topics(timeout=PATIENCE_S).brokers.values()
    assert [f"{broker.host}:{broker.port}" for broker in brokers] == [link.address]
    producer = Producer(at)
    consumer = Consumer({**at, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("cut", 0, 0)])

    producer.produce("cut", b"before")
    assert producer.flush(PATIENCE_S) == 0
    assert [message.value() for message in consumer.consume(1, PATIENCE_S)] == [b"before"]
    link.cut()
    producer.produce("cut", b"after")
    assert producer.flush(0.5) == 1
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=0.5)
    link.heal()
    assert producer.flush(PATIENCE_S) == 0
    message = until(lambda: (found := consumer.poll(0.1)) and not found.error() and found)
    assert message.value() == b"after"
    consumer.close()


def test_topics_are_not_made_by_accident(stack: Stack) -> None:
    metadata = AdminClient({"bootstrap.servers": stack.kafka}).list_topics("misspelt", timeout=PATIENCE_S)
    assert metadata.topics["misspelt"].error is not None


def test_redis_keeps_what_it_acknowledged_and_never_evicts(stack: Stack) -> None:
    with redis.from_url(stack.redis, decode_responses=True) as client:
        kept = client.config_get("append*") | client.config_get("maxmemory-policy")
    assert (kept["appendonly"], kept["appendfsync"], kept["maxmemory-policy"]) == ("yes", "everysec", "noeviction")


def test_a_part_that_cannot_start_is_named_with_its_log(own: Path) -> None:
    down(own)
    (log,) = (own / "redis" / "appendonlydir").glob("*.incr.aof")
    sound = log.read_bytes()
    log.write_bytes(b"*nonsense\r\n" * 3)
    with pytest.raises(Unavailable, match=r"(?s)Valkey [0-9.]+ ended with exit code 1 while starting.*Bad file format"):
        up(own, print)
    assert states(own) == {"kafka": "running", "registry": "running", "redis": "crashed", "clickhouse": "running"}
    log.write_bytes(sound)
    up(own, print)
    assert all(part.healthy for part in status(own))


def test_logs_are_shown(tidecast: Tidecast) -> None:
    assert tidecast("stack", "logs", "kafka", "-n", "5").stdout.count("kafka      | ") == 5
    assert {line.split()[0] for line in tidecast("stack", "logs").stdout.splitlines() if "|" in line} >= {
        "kafka",
        "registry",
        "redis",
        "clickhouse",
    }


def test_wipe_removes_what_the_stack_made_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    place = read_place(tmp_path)
    place.ports = dict.fromkeys(("kafka", "kafka_controller", "registry", "redis", "clickhouse"), 1)
    place.save()
    (tmp_path / "models").mkdir()
    assert down(tmp_path, wipe=True) == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
