"""What others do to the topics and servers: what is said about it, and that the remedy that is named helps."""

import dataclasses
import json
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from agents.cli.define.init import write_starter
from agents.importing.publisher import EventPublisher
from agents.kafka.topic_settings import TopicSettings
from agents.kafka.topics import Logs, current_deployment, write
from agents.operations.deploy import deploy
from agents.settings import Settings, load_settings
from agents.stack.downloads import kafka_jars
from agents.stack.parts import java
from schemas.topics import CUSTOMER_EVENTS, PREDICTIONS, TOPICS
from sinks.redis.client import connect
from streams.errors import SettingError, TidecastError
from streams.log import Output
from streams.partitioner import partition_of
from streams.usecases import UseCase, load_use_case
from tests.integration.conftest import Stack, Tidecast, tidecast_command
from tests.waiting import PATIENCE_S, exit_code, until

pytestmark = pytest.mark.integration
DAY_MS = 86_400_000


@pytest.fixture
def prefix(stack: Stack) -> Iterator[str]:
    """Return a topic prefix of the test's own, which `stack.env` uses meanwhile."""
    prefix = f"preflight-{uuid.uuid4().hex[:8]}-"
    stack.env["TIDECAST_TOPIC_PREFIX"] = prefix
    stack.env["TIDECAST_CLICKHOUSE_DATABASE"] = prefix.replace("-", "_")
    yield prefix
    del stack.env["TIDECAST_TOPIC_PREFIX"], stack.env["TIDECAST_CLICKHOUSE_DATABASE"]


@pytest.fixture
def settings(stack: Stack, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    settings = load_settings(topic_prefix=prefix)
    yield settings
    delete(settings, *Logs(settings).partitions())


@pytest.fixture
def retail() -> UseCase:
    return load_use_case("retail")


def delete(settings: Settings, *topics: str) -> None:
    admin = AdminClient(settings.confluent())
    names = [settings.topic(topic) for topic in topics]
    for future in admin.delete_topics(names).values() if names else ():
        future.result(PATIENCE_S)


def make(settings: Settings, topic: str, partitions: int, **config: str) -> None:
    """Create a topic as somebody else would."""
    named = {name.replace("_", "."): value for name, value in config.items()}
    new = NewTopic(settings.topic(topic), num_partitions=partitions, replication_factor=1, config=named)
    admin = AdminClient(settings.confluent())
    for future in admin.create_topics([new]).values():
        future.result(PATIENCE_S)
    until(lambda: topic in Logs(settings).partitions())


def grow(settings: Settings, topic: str, partitions: int) -> None:
    new = NewPartitions(settings.topic(topic), partitions)
    admin = AdminClient(settings.confluent())
    for future in admin.create_partitions([new]).values():
        future.result(PATIENCE_S)
    until(lambda: Logs(settings).partitions()[topic] == partitions)


def found(settings: Settings, topic: str) -> Mapping[str, str]:
    return TopicSettings(settings).read([topic])[topic]


def findings(tidecast: Tidecast) -> list[dict[str, Any]]:
    told: dict[str, Any] = json.loads(tidecast("status", "--use-case", "retail", "--json").stdout)
    return list(told["findings"])


def run_configs(said: str) -> None:
    """Run the kafka-configs.sh command that a message names, with Kafka's own class."""
    named = re.search(r"kafka-configs\.sh (.*)", said)
    assert named is not None, said
    program = [java(), "-cp", f"{kafka_jars(print)}/*", "kafka.admin.ConfigCommand"]
    done = subprocess.run([*program, *shlex.split(named[1])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


OTHERS = {
    "retention_ms": str(7 * DAY_MS),
    "message_timestamp_type": "CreateTime",
    "max_message_bytes": "100000",
    "retention_bytes": "5000000",
}


def test_a_topic_that_was_there_before_is_told_before_anything_is_written(settings: Settings, retail: UseCase) -> None:
    make(settings, CUSTOMER_EVENTS, 4, **OTHERS)
    with pytest.raises(SettingError) as refused:
        deploy(settings, retail)
    said = str(refused.value)
    for part in ("retention.ms is 604800000 and must be -1", "CreateTime", "max.message.bytes is 100000"):
        assert part in said
    assert set(Logs(settings).partitions()) == {CUSTOMER_EVENTS}
    run_configs(said)
    assert deploy(settings, retail).written
    assert found(settings, CUSTOMER_EVENTS)["retention.ms"] == "-1"


def test_fix_topics_does_the_same(settings: Settings, tidecast: Tidecast) -> None:
    make(settings, CUSTOMER_EVENTS, 3, **OTHERS, cleanup_policy="compact,delete")
    make(settings, PREDICTIONS, 1)
    refused = tidecast("deploy", "retail", check=False)
    assert refused.returncode == 1 and "--fix-topics" in refused.stderr
    assert f"The topic {settings.topic(PREDICTIONS)} has 1 partitions, and 3 are needed" in refused.stderr
    done = tidecast("deploy", "retail", "--fix-topics").stdout
    assert "Changed the settings of customer-events, predictions." in done
    assert found(settings, CUSTOMER_EVENTS)["cleanup.policy"] == "delete"
    assert Logs(settings).partitions() == {name: topic.count(3) for name, topic in TOPICS.items()}


def test_a_topic_to_which_nothing_can_be_written(settings: Settings, retail: UseCase) -> None:
    deploy(settings, retail)
    TopicSettings(settings).change({PREDICTIONS: {"min.insync.replicas": "2"}})
    with pytest.raises(SettingError, match=r"min\.insync\.replicas is 2, and it has 1 replicas") as refused:
        deploy(settings, dataclasses.replace(retail, allowed_lateness="3h"))
    run_configs(str(refused.value))
    assert deploy(settings, dataclasses.replace(retail, allowed_lateness="3h")).written


def test_a_log_whose_beginning_expired(settings: Settings, tidecast: Tidecast) -> None:
    """Nobody has read it, and a remedy that sends one in circles is none."""
    tidecast("deploy", "retail", "--partitions", "1")
    write(settings, [Output(CUSTOMER_EVENTS, 0, b"c", b"an event")])
    place = TopicPartition(settings.topic(CUSTOMER_EVENTS), 0, 2)
    admin = AdminClient(settings.confluent())
    for future in admin.delete_records([place]).values():
        future.result(PATIENCE_S)
    for words in (("worker", "scoring"), ("deploy", "retail")):
        refused = tidecast(*words, check=False)
        assert refused.returncode == 1 and "the log begins at 2" in refused.stderr
        assert "another TIDECAST_TOPIC_PREFIX" in refused.stderr


def test_what_is_asked_for_is_fit(settings: Settings, retail: UseCase) -> None:
    make(settings, CUSTOMER_EVENTS, 2, retention_ms=str(7 * DAY_MS), message_timestamp_type="LogAppendTime")
    done = deploy(settings, retail, retention_ms=7 * DAY_MS)
    assert done.written and done.warnings == []
    assert deploy(settings, retail).warnings == []
    longer = deploy(settings, dataclasses.replace(retail, allowed_lateness="3h"), retention_ms=30 * DAY_MS)
    assert longer.written and found(settings, CUSTOMER_EVENTS)["retention.ms"] == str(30 * DAY_MS)


def test_a_topic_that_is_changed_later_is_told_by_status_and_worker(settings: Settings, tidecast: Tidecast) -> None:
    tidecast("deploy", "retail")
    assert findings(tidecast) == []
    changed = {CUSTOMER_EVENTS: {"retention.ms": "60000"}, "deployments": {"cleanup.policy": "delete"}}
    TopicSettings(settings).change(changed)
    told = findings(tidecast)
    assert {(each["check"], each["severity"]) for each in told} == {("topic settings", "harms")} and len(told) == 2
    shown = tidecast("status", "--use-case", "retail").stdout
    assert "retention.ms is 60000 and must be -1 (records are deleted while they are still needed)" in shown
    assert "in force already" in tidecast("deploy", "retail").stdout, "it says so, and stops no start of the system"
    assert "Changed the settings of" in tidecast("deploy", "retail", "--fix-topics").stdout
    assert findings(tidecast) == []


class Scorer:
    """A scoring worker beside the test, whose words are kept."""

    def __init__(self, stack: Stack, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            command = tidecast_command("worker", "scoring", "--single", "--use-case", "retail")
            self.process = subprocess.Popen(command, env=stack.env, stderr=out, stdin=subprocess.DEVNULL)

    def __enter__(self) -> "Scorer":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        exit_code(self.process)

    def said(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()


def rows(folder: Path, name: str, count: int, month: int = 1) -> tuple[str, ...]:
    """Write a file of purchases; return the arguments that publish it."""
    lines = [f"c{n % 6},2024-{month + n // 20:02}-{1 + n % 20:02},{100 + n}" for n in range(count)]
    (folder / f"{name}.csv").write_text("\n".join(["who,day,amount_cents", *lines]))
    mapping = 'event = "Purchase"\ncustomer = "who"\ntime = "day"\n[fields]\nitems = { value = 1 }\n'
    (folder / f"{name}.toml").write_text(mapping)
    files = (str(folder / f"{name}.csv"), "--mapping", str(folder / f"{name}.toml"))
    return ("publish", *files, "--as-fast-as-possible", "--yes")


def counters(tidecast: Tidecast) -> dict[str, int]:
    told = json.loads(tidecast("status", "--use-case", "retail", "--json").stdout)
    return {"accepted": 0, "dead": 0} | told["counters"]


def accepted(tidecast: Tidecast) -> int:
    return counters(tidecast)["accepted"]


def astray(settings: Settings, retail: UseCase) -> None:
    """Write a purchase as a producer does that knows of three more partitions: to the wrong one of the deployed two."""
    customer = next(name for name in map("c{}".format, range(99)) if partition_of(name, 5) == 1 - partition_of(name, 2))
    day = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp() * 1000)
    fields = {"event_id": "astray", "customer_id": customer, "occurred_at": day, "source": "", "items": 1}
    with EventPublisher(settings, retail) as publisher:
        value = publisher.codec.encode("retail.Purchase", {**fields, "amount_cents": 5})
    write(settings, [Output(CUSTOMER_EVENTS, partition_of(customer, 5), customer.encode(), value)])


def test_partitions_that_somebody_adds_are_ignored_and_counted(
    stack: Stack, settings: Settings, tidecast: Tidecast, tmp_path: Path, retail: UseCase
) -> None:
    tidecast("deploy", "retail", "--partitions", "2")
    publish = rows(tmp_path, "first", 20)
    with Scorer(stack, tmp_path / "worker.log") as scorer:
        tidecast(*publish)
        until(lambda: accepted(tidecast) == 20)
        for topic in (CUSTOMER_EVENTS, PREDICTIONS):
            grow(settings, topic, 5)
        write(settings, [Output(CUSTOMER_EVENTS, partition, b"c1", b"whatever") for partition in (2, 4, 4)])
        until(lambda: scorer.said("somebody added 3"))
        tidecast(*rows(tmp_path, "second", 40, month=2))
        until(lambda: accepted(tidecast) == 60)
        astray(settings, retail)
        until(lambda: counters(tidecast)["dead"] == 1)
        tidecast("dead-letters", "requeue", "--yes")
        until(lambda: accepted(tidecast) == 61)
    told = json.loads(tidecast("status", "--use-case", "retail", "--json").stdout)
    assert {place["partition"] for place in told["places"] if place["topic"] == CUSTOMER_EVENTS} == {0, 1}
    texts = [each["text"] for each in told["findings"]]
    assert len(texts) == 2 and "The 3 records in them are ignored; partitions 0 to 1 are processed" in texts[0]
    assert "murmur2(customer) modulo 2" in texts[0]
    assert current_deployment(settings).partitions == 2  # type: ignore[union-attr]
    again = tidecast("deploy", "retail")
    assert "in force already" in again.stdout and "somebody added 3" in again.stderr
    assert deploy(settings, dataclasses.replace(retail, allowed_lateness="3h")).written
    assert current_deployment(settings).partitions == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("filled", [False, True])
def test_nothing_is_published_into_a_topic_that_was_made_again(
    stack: Stack, settings: Settings, tidecast: Tidecast, tmp_path: Path, prefix: str, filled: bool
) -> None:
    tidecast("deploy", "retail", "--partitions", "2")
    publish = rows(tmp_path, "rows", 20)
    with Scorer(stack, tmp_path / "worker.log"):
        tidecast(*publish)
        until(lambda: accepted(tidecast) == 20)
    delete(settings, CUSTOMER_EVENTS)
    until(lambda: CUSTOMER_EVENTS not in Logs(settings).partitions())
    make(settings, CUSTOMER_EVENTS, 2)
    if filled:
        write(settings, [Output(CUSTOMER_EVENTS, partition, b"c1", b"whatever") for partition in (0, 1)])
    ends = Logs(settings).ends(CUSTOMER_EVENTS, 2)
    for words in (publish, ("worker", "scoring"), ("deploy", "retail")):
        refused = tidecast(*words, check=False)
        assert refused.returncode == 1, words
        assert "the topic was deleted and made again" in refused.stderr
    assert Logs(settings).ends(CUSTOMER_EVENTS, 2) == ends
    assert "the topic was deleted and made again" in tidecast("status", "--use-case", "retail").stdout
    stack.env["TIDECAST_TOPIC_PREFIX"] = other = f"{prefix}again-"
    tidecast("deploy", "retail")
    assert "20 events published" in tidecast(*publish).stdout
    delete(load_settings(topic_prefix=other), *TOPICS)


def test_definitions_that_lose_something_and_what_to_do_instead(
    stack: Stack, settings: Settings, tidecast: Tidecast, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    write_starter(shop)
    tidecast("deploy", str(shop))
    write(settings, [Output(CUSTOMER_EVENTS, 0, b"c", b"an event")])
    file = shop / "usecase.py"
    text = file.read_text()
    more = text.replace("FEATURES = (\n", 'FEATURES = (\n    Count("purchases_7d", of="Purchase", over="7d"),\n')
    file.write_text(more)
    refused = tidecast("deploy", str(shop), check=False)
    assert refused.returncode == 1
    for named in ("Arm 'logistic' of target 'churn'", "Arm 'linear' of target 'spend'"):
        assert f"{named}: its arm reads purchases_7d, from which it has not learnt" in refused.stderr
    assert "recency" not in refused.stderr, "it reads what it read"
    # the first remedy: what is new beside the old, which lists its features
    names = re.findall(r'^    [A-Z]\w+\("(\w+)"', text.partition("FEATURES = (")[2].partition("\n)\n")[0], re.M)
    file.write_text(more.replace("    ask=ASK,\n", f"    ask=ASK,\n    features={tuple(names)!r},\n"))
    assert "is in force as deployment" in tidecast("deploy", str(shop)).stdout
    # the second one: a log of its own
    file.write_text(more)
    stack.env["TIDECAST_TOPIC_PREFIX"] = other = f"{settings.topic_prefix}new-"
    assert "is in force as deployment" in tidecast("deploy", str(shop)).stdout
    delete(load_settings(topic_prefix=other), *TOPICS)


def test_a_server_that_drops_state_is_told_before_anything_is_written(
    stack: Stack, settings: Settings, tidecast: Tidecast
) -> None:
    client = connect(**settings.redis())
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refused = tidecast("deploy", "retail", check=False)
        assert refused.returncode == 1 and "CONFIG SET maxmemory-policy noeviction" in refused.stderr
        assert Logs(settings).partitions() == {}
    finally:
        client.execute_command(*["CONFIG", "SET", "maxmemory-policy", "noeviction"])
    assert tidecast("deploy", "retail").returncode == 0


def test_a_signed_system_refuses_who_has_no_key(settings: Settings, retail: UseCase) -> None:
    signed = load_settings(topic_prefix=settings.topic_prefix, signing_keys="1=a-key-of-this-system")
    deploy(signed, retail)
    with pytest.raises(TidecastError, match=r"this process has no key, .*; set TIDECAST_SIGNING_KEYS"):
        current_deployment(load_settings(topic_prefix=settings.topic_prefix, signing_keys="", unsigned=True))
    assert current_deployment(signed) is not None


def test_a_state_that_is_lost_is_told(stack: Stack, settings: Settings, tidecast: Tidecast, tmp_path: Path) -> None:
    tidecast("deploy", "retail", "--partitions", "1")
    with Scorer(stack, tmp_path / "worker.log"):
        tidecast(*rows(tmp_path, "rows", 20))
        until(lambda: accepted(tidecast) == 20)
    client = connect(**settings.redis())
    for key in client.scan_iter(f"{settings.topic_prefix}*"):
        client.delete(key)
    refused = tidecast("worker", "scoring", check=False)
    assert refused.returncode == 1 and "tidecast rebuild" in refused.stderr
    assert "tidecast rebuild" in tidecast("status", "--use-case", "retail").stdout
    tidecast("rebuild", "scoring", "--yes")
    assert findings(tidecast) == []
