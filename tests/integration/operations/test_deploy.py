"""Deployments on a real broker and registry."""

import dataclasses
import uuid

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from agents.fingerprint import running
from agents.kafka.schema_registry import HttpRegistry, SchemaConflict
from agents.kafka.topics import Logs, current_deployment, first_values, write
from agents.operations import deploy as deploying
from agents.operations.deploy import deploy
from agents.settings import load_settings
from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS, DEPLOYMENTS, LABELLED_EXAMPLES, PREDICTIONS, TOPICS
from streams.avro.codec import Codec
from streams.control import check
from streams.errors import DeploymentMismatch, SettingError, TidecastError, Unavailable
from streams.log import Output
from streams.usecases import AbsenceOf, Arm, Ask, Count, PriorRate, Target, UseCase
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration


def target(name, over="30d"):
    """Return a declaration of a target that a call asks."""
    arms = (Arm("prior", PriorRate(), role="champion"),)
    return Target(name, kind="binary", ask=Ask(on=("Call",)), outcome=AbsenceOf("Call", over=over), arms=arms)


def call(name, **more):
    fields = [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "source", "type": "string", "default": ""},
        *({"name": field, "type": kind} for field, kind in more.items()),
    ]
    return {"type": "record", "name": "Call", "namespace": name, "fields": fields}


@pytest.fixture
def use_case():
    name = f"case_{uuid.uuid4().hex[:8]}"
    calls = Count("calls", of="Call", over="7d")
    return UseCase(name, features=(calls,), targets=(target("churn"), target("spend")), events={"Call": call(name)})


@pytest.fixture
def settings(stack, monkeypatch):
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    settings = load_settings(topic_prefix=f"test-deploy-{uuid.uuid4().hex[:8]}.")
    yield settings
    delete(settings, *Logs(settings).partitions())


def config(settings, topic):
    admin = AdminClient(settings.confluent())
    resource = ConfigResource(ResourceType.TOPIC, settings.topic(topic))
    found = admin.describe_configs([resource])[resource].result(PATIENCE_S)
    return {name: entry.value for name, entry in found.items()}


def delete(settings, *topics):
    admin = AdminClient(settings.confluent())
    names = [settings.topic(topic) for topic in topics]
    for future in admin.delete_topics(names).values() if names else ():
        future.result(PATIENCE_S)


def test_a_first_deployment(settings, use_case):
    assert current_deployment(settings) is None
    done = deploy(settings, use_case, partitions=3)
    assert done.written and set(done.topics) == set(TOPICS)
    assert Logs(settings).partitions() == {name: topic.count(3) for name, topic in TOPICS.items()}
    now = current_deployment(settings)
    assert now == done.deployment
    assert (now.partitions, now.target_partitions) == (3, {"churn": 0, "spend": 1})
    assert now.fingerprint == running()


def test_every_partition_begins_with_the_signed_deployment(settings, use_case):
    done = deploy(settings, use_case, partitions=2)
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        for topic, count in ((CUSTOMER_EVENTS, 2), (LABELLED_EXAMPLES, 16)):
            bounds = Logs(settings).ends(topic, count)
            assert bounds == [(0, 1)] * count
            for partition, first in enumerate(first_values(settings, topic, bounds)):
                name, record = codec.decode(first)
                assert record["deployment_id"] == done.deployment.deployment_id
                assert record["signature"]
                keys = settings.keys.of_log(done.deployment.epoch)
                assert check(name, record, keys, topic, partition)
                assert not check(name, record, keys, topic, partition + 1)


def test_topics_keep_what_they_say(settings, use_case):
    deploy(settings, use_case, partitions=1)
    assert config(settings, CUSTOMER_EVENTS)["retention.ms"] == "-1"
    assert config(settings, CUSTOMER_EVENTS)["message.timestamp.type"] == "LogAppendTime"
    assert config(settings, DEPLOYMENTS)["cleanup.policy"] == "compact"
    deploy(settings, use_case, retention_ms=86_400_000)
    assert config(settings, PREDICTIONS)["retention.ms"] == "86400000"


def test_the_same_definitions_again_write_nothing(settings, use_case):
    first = deploy(settings, use_case, partitions=1)
    again = deploy(settings, use_case)
    assert not again.written and again.topics == [] and again.changes == []
    assert again.deployment == first.deployment
    assert Logs(settings).ends(CUSTOMER_EVENTS, 1) == [(0, 1)]


def test_changed_definitions_are_appended_and_targets_stay_in_place(settings, use_case):
    first = deploy(settings, use_case, partitions=1).deployment
    targets = (target("cross"), target("spend", over="91d"))
    done = deploy(settings, dataclasses.replace(use_case, targets=targets))
    assert done.written
    assert done.deployment.epoch == first.epoch
    assert done.deployment.target_partitions == {"churn": 0, "spend": 1, "cross": 2}
    assert done.changes == [
        "targets: new order or names",
        "targets.churn: removed",
        'targets.spend.outcome.over: "30d" → "91d"',
        "targets.cross: new",
    ]
    assert current_deployment(settings) == done.deployment
    assert Logs(settings).ends(CUSTOMER_EVENTS, 1) == [(0, 2)]


def test_a_log_with_events_refuses_what_would_lose_something_and_writes_nothing(settings, use_case):
    first = deploy(settings, use_case, partitions=2)
    write(settings, [Output(CUSTOMER_EVENTS, 1, b"c", b"an event")])
    ends = Logs(settings).ends(CUSTOMER_EVENTS, 2)
    schemas = {**use_case.events, "Visit": {**call(use_case.name), "name": "Visit"}}
    changed = dataclasses.replace(use_case, targets=(target("churn", over="91d"),), events=schemas)
    with pytest.raises(TidecastError) as refused:
        deploy(settings, changed)
    told = str(refused.value)
    assert 'target churn: its outcome changes (over: "30d" → "91d")' in told
    assert "target spend: removed, with its open questions and the models of prior" in told
    assert "TIDECAST_TOPIC_PREFIX" in told
    assert Logs(settings).ends(CUSTOMER_EVENTS, 2) == ends and current_deployment(settings) == first.deployment
    with HttpRegistry(settings) as registry:
        assert registry.versions(f"{use_case.name}.Visit") == []


def test_records_that_are_left_keep_no_change_out_that_loses_nothing(settings, use_case):
    first = deploy(settings, use_case, partitions=2).deployment
    write(settings, [Output(CUSTOMER_EVENTS, 1, b"c", b"an event")])
    done = deploy(settings, dataclasses.replace(use_case, targets=(*use_case.targets, target("offer"))))
    assert done.written and done.deployment.former == (first.deployment_id,)
    assert current_deployment(settings) == done.deployment
    targets = (*use_case.targets, target("offer"))
    third = deploy(settings, dataclasses.replace(use_case, allowed_lateness="2h", targets=targets)).deployment
    assert third.former == (first.deployment_id, done.deployment.deployment_id)


def test_the_number_of_partitions_is_fixed(settings, use_case):
    deploy(settings, use_case, partitions=2)
    with pytest.raises(SettingError, match="deployed with 2 partitions, not 3"):
        deploy(settings, use_case, partitions=3)


def test_another_use_case_is_refused(settings, use_case):
    deploy(settings, use_case, partitions=1)
    with pytest.raises(DeploymentMismatch, match=f"belong to the use case {use_case.name}"):
        deploy(settings, dataclasses.replace(use_case, name="other", events={"Call": call("other")}))
    assert Logs(settings).ends(CUSTOMER_EVENTS, 1) == [(0, 1)]


def test_another_river_is_refused(settings, use_case, monkeypatch):
    deploy(settings, use_case, partitions=1)
    there = dataclasses.replace(running(), river="0.1")
    monkeypatch.setattr(deploying, "running", lambda: there)
    with pytest.raises(DeploymentMismatch, match="install river=="):
        deploy(settings, use_case)


def test_another_python_warns(settings, use_case, monkeypatch):
    deploy(settings, use_case, partitions=1)
    there = dataclasses.replace(running(), python="9.9")
    monkeypatch.setattr(deploying, "running", lambda: there)
    assert "Python is 9.9 here" in deploy(settings, use_case).warnings[0]


def test_an_interrupted_first_deployment_is_completed(settings, use_case, monkeypatch):
    written = []

    def dies_in_the_middle(settings, outputs):
        written.extend(outputs)
        write(settings, outputs[: len(outputs) // 2])
        raise Unavailable("The broker went away.")

    with monkeypatch.context() as patch:
        patch.setattr(deploying, "write", dies_in_the_middle)
        with pytest.raises(Unavailable, match="went away"):
            deploy(settings, use_case, partitions=2)
    assert current_deployment(settings) is None
    done = deploy(settings, use_case)
    assert current_deployment(settings) == done.deployment
    with HttpRegistry(settings) as registry:
        codec = Codec(registry, load_schemas())
        assert codec.decode(written[0].value)[1]["epoch"] == done.deployment.epoch


def test_a_log_that_does_not_begin_with_a_deployment_is_refused(settings, use_case):
    Logs(settings).create(1, None)
    write(settings, [Output(CUSTOMER_EVENTS, 0, b"c", b"x")])
    with pytest.raises(TidecastError, match="does not begin with a deployment"):
        deploy(settings, use_case)


@pytest.mark.parametrize("topic", [CUSTOMER_EVENTS, PREDICTIONS, DEPLOYMENTS])
def test_a_deleted_topic_is_refused(settings, use_case, topic):
    deploy(settings, use_case, partitions=1)
    delete(settings, topic)
    until(lambda: topic not in Logs(settings).partitions())  # the controller knows it before the broker
    with pytest.raises(TidecastError, match=f"{topic}.*(was deleted|is missing).*TIDECAST_TOPIC_PREFIX"):
        deploy(settings, use_case)


def test_a_schema_nobody_could_follow_is_refused_before_anything_is_written(settings, use_case):
    deploy(settings, use_case, partitions=1)
    changed = dataclasses.replace(use_case, events={"Call": call(use_case.name, seconds="long")})
    with pytest.raises(SchemaConflict, match=r"Call.seconds: .* lacks the field"):
        deploy(settings, changed)
    assert Logs(settings).ends(CUSTOMER_EVENTS, 1) == [(0, 1)]


TIER = {"type": "enum", "name": "Tier", "symbols": ["BASIC", "GOLD"]}


def test_a_schema_that_has_grown_is_adopted(settings, use_case):
    """A symbol, a wider number, null, and a field with a default: all records of before can be read."""

    def events(tier, seconds, *more):
        schema = call(use_case.name, tier=tier, seconds=seconds, note="string")
        return dataclasses.replace(use_case, events={"Call": {**schema, "fields": [*schema["fields"], *more]}})

    deploy(settings, events(TIER, "int"), partitions=1)
    grown = {**TIER, "symbols": [*TIER["symbols"], "PLATINUM"]}
    more = {"name": "more", "type": "long", "default": 0}
    done = deploy(settings, events(grown, ["null", "long"], more))
    assert done.written and current_deployment(settings) == done.deployment
    for lost in (events(TIER, ["null", "long"], more), events(grown, ["null", "int"], more)):
        with pytest.raises(SchemaConflict, match="cannot follow"):
            deploy(settings, lost)


def test_another_signing_key_is_refused(settings, use_case):
    deploy(settings, use_case, partitions=1)
    other = load_settings(topic_prefix=settings.topic_prefix, signing_keys="other=a-secret-of-another-system")
    with pytest.raises(TidecastError, match="TIDECAST_SIGNING_KEY"):
        deploy(other, use_case)


def test_more_targets_than_partitions(settings, use_case):
    targets = tuple(target(f"t{number}") for number in range(17))
    with pytest.raises(SettingError, match="17 targets"):
        deploy(settings, dataclasses.replace(use_case, targets=targets), partitions=1)


def test_the_command_says_what_it_did(stack, tidecast, settings, monkeypatch):
    monkeypatch.setitem(stack.env, "TIDECAST_TOPIC_PREFIX", settings.topic_prefix)
    first = tidecast("deploy", "retail", "--partitions", "2", "--retention", "400d").stdout
    assert "Created 9 topics, customer-events with 2 partitions." in first
    assert f"retail is in force as deployment {current_deployment(settings).deployment_id}" in first
    assert config(settings, CUSTOMER_EVENTS)["retention.ms"] == str(400 * 86_400_000)
    assert "in force already" in tidecast("deploy", "retail").stdout
    for arguments, code, word in (
        (("nonsense",), 1, "nonsense"),
        (("telecom",), 1, "belong to the use case retail"),
        (("retail", "--partitions", "3"), 1, "deployed with 2 partitions, not 3"),
        (("retail", "--retention", "soon"), 2, "such as 90d"),
    ):
        done = tidecast("deploy", *arguments, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert word in done.stderr and "Traceback" not in done.stderr
