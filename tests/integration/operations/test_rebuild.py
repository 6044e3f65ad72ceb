"""Redis and the model store lose all data during a run. The workers report it and stop. `tidecast rebuild` restores the
state."""

import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from agents.kafka.consumer_groups import members, refuse_members
from agents.settings import load_settings
from agents.stages import STAGES
from streams.errors import TidecastError
from tests.integration.conftest import Stack, tidecast_command
from tests.integration.runtime.test_crashes import MAPPING, System, purchases
from tests.waiting import exit_code, until

pytestmark = pytest.mark.integration
DATABASE = 5
"""Redis database number. Only this test uses it and deletes all of its data."""


class Lossy(System):
    """A system whose Redis database and model store can be deleted."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        super().__init__(stack, folder)
        url = f"{stack.redis}?db={DATABASE}" if stack.redis.startswith("unix:") else numbered(stack.redis)
        self.models = folder / "models"
        self.env |= {"TIDECAST_REDIS_URL": url, "TIDECAST_MODEL_STORE": self.models.as_uri()}
        self.redis = redis.Redis.from_url(url)
        self.prefix = self.env["TIDECAST_TOPIC_PREFIX"]
        self.admin = AdminClient({"bootstrap.servers": stack.kafka})

    def said(self) -> str:
        """Return the worker's output."""
        return (self.folder / "worker.log").read_text()

    def stop(self) -> None:
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        assert exit_code(self.worker) == 0
        self.worker = None

    def fails(self, *arguments: str) -> str:
        """Run a command that must fail. Return its error output."""
        done = subprocess.run(tidecast_command(*arguments), env=self.env, capture_output=True, text=True)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def cut(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records before an offset, as retention does."""
        for future in self.admin.delete_records([TopicPartition(self.prefix + topic, partition, offset)]).values():
            future.result()

    def positions(self) -> dict[int, bytes]:
        """Return the Redis keys of scoring's positions, by partition."""
        found = {key: re.fullmatch(rb".*{\d+\.(\d+)}:position", key) for key in self.redis.keys("*:position")}
        return {int(match[1]): key for key, match in found.items() if match}

    def records(self) -> int:
        """Return the number of records that scoring has processed."""
        keys = list(self.positions().values())
        return sum(int(found.split(b".")[0]) for found in self.redis.mget(keys) if found) if keys else 0

    def ends(self) -> dict[TopicPartition, int]:
        """Return the end offset of each output partition."""
        topics = ("predictions", "labelled-examples", "model-metrics", "feature-profiles", "drift-alerts")
        places = [TopicPartition(self.prefix + topic, partition) for topic in topics for partition in range(3)]
        asked = self.admin.list_offsets({place: OffsetSpec.latest() for place in places})
        return {place: told.result().offset for place, told in asked.items() if not told.exception()}

    def reported(self) -> bool:
        """Return whether every stage with state in Redis has committed an offset to Kafka."""
        for row in [row for row in STAGES.values() if row.store.is_redis]:
            group = f"{self.prefix}{row.group}"
            told = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result()
            if not any(place.offset > 0 for place in told.topic_partitions):
                return False
        return True


def numbered(url: str) -> str:
    return urlsplit(url)._replace(path=f"/{DATABASE}").geturl()


@pytest.fixture
def system(stack: Stack, tmp_path: Path) -> Iterator[Lossy]:
    made = Lossy(stack, tmp_path)
    made.redis.flushdb()
    yield made
    if made.worker is not None:
        made.worker.send_signal(signal.SIGTERM)
        exit_code(made.worker)
    made.redis.flushdb()


def test_lost_state_is_made_again(system: Lossy) -> None:
    file, mapping = system.folder / "purchases.csv", system.folder / "purchases.toml"
    rows = purchases(file)
    mapping.write_text(MAPPING)
    paced = ("publish", str(file), "--mapping", str(mapping), "--speed", f"{86_400 * 400 // 8}x")
    publish = ("publish", str(file), "--mapping", str(mapping), "--as-fast-as-possible")
    system.run("deploy", "retail", "--partitions", "3")
    system.worker = system.start("worker")
    publisher = system.start(*paced)
    until(lambda: system.records() > rows * 0.4 and system.reported())
    system.redis.flushdb()
    assert exit_code(publisher) == 0
    system.run(*publish)  # finished workers notice the loss only when they get more records
    assert exit_code(system.worker) == 1
    system.worker = None
    assert "run `tidecast rebuild`" in system.said() and "Traceback" not in system.said()
    shutil.rmtree(system.models)
    system.run("sql", "--write", "DROP DATABASE " + system.env["TIDECAST_CLICKHOUSE_DATABASE"])

    before = system.ends()
    lost, there = kill_half_way(system)
    told = system.run("rebuild")
    assert "judging labelled-examples" in told and "monitoring predictions" in told
    assert f"scoring customer-events[{lost}] is lost" in told and f"scoring customer-events[{there}]" not in told
    assert "learning" not in told, "learning was restored before the kill"
    assert system.ends() == before, "nothing is sent twice"
    assert "Nothing is missing" in system.run("rebuild")
    system.worker = system.start("worker", "--single")
    system.run(*publish)
    until(system.caught_up)
    counted = system.status()["counters"]
    assert counted["accepted"] == rows
    count = ("sql", "SELECT count() FROM predictions", "--format", "csv")
    until(lambda: f"\n{counted['predictions']}\n" in system.run(*count))
    system.stop()
    assert "a replay of the logs gives the same" in system.run("verify")

    system.redis.flushdb()
    system.cut("customer-events", 1, 10)
    said = system.fails("rebuild")
    assert "scoring customer-events[1]" in said and "begins at 10: its beginning was deleted" in said
    assert not system.redis.keys("*"), "a rebuild that cannot finish must not start"


def kill_half_way(system: Lossy) -> tuple[int, int]:
    """Kill a rebuild when two partitions of scoring are restored and the third is in progress.

    Then delete the position of one restored partition, but not its customers. Return it and the other restored one."""
    points = system.folder / "points"
    points.mkdir()
    (points / "worker.commit.partly").write_text("stop")  # stop at the first state after scoring's
    env = {**system.env, "PYTHONHASHSEED": "0", "TIDECAST_FAIL_POINTS": str(points)}
    rebuild = subprocess.Popen(tidecast_command("rebuild"), env=env)
    until(lambda: len(system.positions()) == 3)
    rebuild.kill()
    assert exit_code(rebuild) == -signal.SIGKILL
    lost, there = sorted(system.positions())[:2]
    system.redis.delete(system.positions()[lost])
    return lost, there


def test_a_rebuild_does_not_begin_beside_a_worker(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    settings = load_settings(topic_prefix=f"beside-{uuid.uuid4().hex[:8]}.")
    groups = ["tidecast-scoring", "tidecast-judging"]
    refuse_members(settings, groups)
    beside = Consumer({"bootstrap.servers": stack.kafka, "group.id": settings.topic("tidecast-judging")})
    topic = settings.topic("anything")
    admin = AdminClient(settings.confluent())
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    beside.subscribe([topic])
    until(lambda: beside.poll(0.1) is None and members(settings, groups))
    with pytest.raises(TidecastError, match=r"tidecast-judging: .* stop them"):
        refuse_members(settings, groups, patience=0.5)
    beside.close()
    refuse_members(settings, groups)
