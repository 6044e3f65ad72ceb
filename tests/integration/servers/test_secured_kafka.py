"""Error messages when a real Kafka refuses a user or an operation."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import Literal

import pytest
from confluent_kafka.admin import NewTopic, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from agents.kafka.consumer_groups import members, reported
from agents.kafka.log_ends import LogEnds
from agents.kafka.log_reader import LogReader
from agents.kafka.read_ahead import GroupReadAhead
from agents.kafka.sender import Sender
from agents.kafka.topics import Logs
from agents.settings import Settings
from agents.stack.parts import Kafka
from agents.stack.place import StackFolder, make_place
from agents.stack.ports import choose_ports
from sinks.kafka.client import admin
from sinks.kafka.producer import KafkaEmitter
from sinks.kafka.transactional import TransactionalEmitter
from streams.errors import SettingError, Unavailable
from streams.log import Output
from streams.log import TopicPartition as Where
from tests.waiting import until

USERS = {"owner": "right", "stranger": "right"}
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def secured(prompt_servers: None) -> Iterator[str]:
    """Yield the address of a broker with user logins. Only `owner` has permissions."""
    folder = Path(tempfile.mkdtemp(prefix="tidecast-secured-"))
    place = make_place(folder)
    place.ports = choose_ports({}, {}, None)
    port = choose_ports({}, place.ports, None)["registry"]
    with pytest.MonkeyPatch.context() as patch:
        usual = Kafka.properties
        patch.setattr(Kafka, "properties", staticmethod(lambda place: {**usual(place), **security(usual(place), port)}))
        start = Kafka().prepare(place, print)
    with place.log("kafka").open("ab") as log:
        broker = Popen(start.command, env={**os.environ, **start.env}, stdout=log, stderr=STDOUT)
    try:
        until(lambda: answers(place, broker), "the secured broker")
        open_client = admin({"bootstrap.servers": f"127.0.0.1:{place.ports['kafka']}"})
        open_client.raw.create_topics([NewTopic("customer-events", 1, 1)])["customer-events"].result()
        password = UserScramCredentialUpsertion(
            "owner", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"right"
        )
        open_client.raw.alter_user_scram_credentials([password])["owner"].result()
        yield f"127.0.0.1:{port}"
    finally:
        broker.terminate()
        broker.wait()
        shutil.rmtree(folder)


def security(usual: Mapping[str, object], port: int) -> dict[str, object]:
    """Return the properties of another listener, with passwords. Clients of the usual listener are administrators."""
    users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    return {
        "listeners": f"{usual['listeners']},SECURED://127.0.0.1:{port}",
        "advertised.listeners": f"{usual['advertised.listeners']},SECURED://127.0.0.1:{port}",
        "listener.security.protocol.map": f"{usual['listener.security.protocol.map']},SECURED:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{SCRAM_LOGIN} required;",
        "listener.name.secured.plain.sasl.jaas.config": f"{LOGIN} required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:owner",
    }


def answers(place: StackFolder, broker: "Popen[bytes]") -> bool:
    assert broker.poll() is None, place.log("kafka").read_text()[-3000:]
    try:
        Kafka().ask(place, broker.pid)
    except Unavailable:
        return False
    return True


def settings(
    address: str, user: str, password: str, mechanism: Literal["PLAIN", "SCRAM-SHA-512"] = "PLAIN"
) -> Settings:
    return Settings(
        kafka=address,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism=mechanism,
        kafka_user=user,
        kafka_password=password,
        registry="http://127.0.0.1:1",
        redis_url="redis://127.0.0.1:1",
        clickhouse_url="http://127.0.0.1:1",
        model_store="file:///nowhere",
    )


def uses(settings: Settings) -> dict[str, Callable[[], object]]:
    """Return the operations of tools and workers on Kafka, by name."""
    place = Where("customer-events", 0)
    config = settings.confluent()
    output = Output("customer-events", 0, None, b"x", None)

    def send() -> None:
        sender = Sender(settings, "customer-events", "Send again.")
        sender.send(b"x", partition=0)
        sender.flush()

    def transact() -> None:
        TransactionalEmitter(config, settings.topic, "tidecast-scoring", "scoring").assign([place])

    return {
        "topics": lambda: Logs(settings).partitions(),
        "ends": lambda: LogEnds(settings, 2.0).of([place]),
        "bounds": lambda: LogReader(settings).bounds(place),
        "group": lambda: reported(settings, "tidecast-scoring", [place]),
        "members": lambda: members(settings, ["tidecast-scoring"]),
        "passed": lambda: GroupReadAhead(settings).of("tidecast-scoring"),
        "send": send,
        "emit": lambda: KafkaEmitter(config, settings.topic).emit([output]),
        "transact": transact,
    }


def test_the_owner_may_do_it_all(secured: str) -> None:
    for name, use in uses(settings(secured, "owner", "right")).items():
        until(lambda use=use: passes(use), name)


def passes(use: Callable[[], object]) -> bool:
    """Return whether the operation succeeds. A new broker creates a group's coordinator at its first use."""
    try:
        use()
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("name", ["topics", "ends", "bounds", "group", "members", "passed", "send", "emit", "transact"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_said(
    secured: str, name: str, mechanism: Literal["PLAIN", "SCRAM-SHA-512"], monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in TIMEOUTS:
        monkeypatch.setattr(patience, 2.0)
    use = uses(settings(secured, "owner", "wrong", mechanism))[name]
    with pytest.raises(Unavailable, match=r"refuses the user or the password; check TIDECAST_KAFKA_USER"):
        use()


TIMEOUTS = (
    "agents.kafka.topics.TIMEOUT",
    "agents.kafka.log_reader.TIMEOUT",
    "agents.kafka.consumer_groups.TIMEOUT",
    "agents.kafka.read_ahead.TIMEOUT",
    "agents.kafka.sender.TIMEOUT",
    "sinks.kafka.producer.TIMEOUT_S",
    "sinks.kafka.transactional.TIMEOUT_S",
)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("members", "the consumer group"),
        ("passed", "the consumer group"),
        ("send", "the topic"),
        ("emit", "the topic"),
        ("transact", "the transactional id"),
    ],
)
def test_what_is_forbidden_is_said_and_not_waited_for(secured: str, name: str, what: str) -> None:
    use = uses(settings(secured, "stranger", "right"))[name]
    with pytest.raises(SettingError, match=f"does not let this user use {what}; add the ACL"):
        use()
