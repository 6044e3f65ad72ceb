"""Keys on real servers: who lacks one does not join, and another one takes over while records flow."""

import os
from collections.abc import Iterator

import pytest

from agents.kafka.topics import current_deployment
from agents.settings import load_settings
from streams.errors import TidecastError
from tests.integration.conftest import Stack, Tidecast

A, B = "a=secret-of-the-first-key", "b=secret-of-the-second-key"


@pytest.fixture
def ring(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give this process and the commands a topic prefix of their own. The test sets the keys."""
    prefix = f"keys-{os.getpid()}-{os.urandom(3).hex()}-"
    for name, value in (("TIDECAST_TOPIC_PREFIX", prefix), ("TIDECAST_DATA", str(stack.folder))):
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(stack.env, name, value)
    yield monkeypatch


def keys(stack: Stack, patch: pytest.MonkeyPatch, value: str, setting: str = "TIDECAST_SIGNING_KEYS") -> None:
    patch.setenv(setting, value)
    patch.setitem(stack.env, setting, value)


def test_the_deployment_lists_the_keys_and_the_next_one_hands_over(
    stack: Stack, tidecast: Tidecast, ring: pytest.MonkeyPatch
) -> None:
    keys(stack, ring, A)
    tidecast("deploy", "retail", "--partitions", "1")
    first = current_deployment(load_settings())
    assert first is not None and [name[:2] for name in first.keys or ()] == ["a:"]
    assert "in force already" in tidecast("deploy", "retail").stdout

    keys(stack, ring, f"{B},{A}")
    assert "is in force as deployment" in tidecast("deploy", "retail").stdout
    second = current_deployment(load_settings())
    assert second is not None and [name[:2] for name in second.keys or ()] == ["b:", "a:"]
    assert second.deployment_id == first.deployment_id and second.number > first.number

    keys(stack, ring, A)
    lacks = tidecast("worker", "scoring", "--single", "--use-case", "retail", check=False)
    assert lacks.returncode == 1
    assert "From offset 1 of customer-events[0] on the log is signed with the key 'b'" in lacks.stderr
    assert "add it to TIDECAST_SIGNING_KEYS and start again" in lacks.stderr

    keys(stack, ring, B)
    tidecast("deploy", "retail")
    third = current_deployment(load_settings())
    assert third is not None and [name[:2] for name in third.keys or ()] == ["b:"]
    tidecast("status")


def test_who_has_no_key_does_not_join(stack: Stack, tidecast: Tidecast, ring: pytest.MonkeyPatch) -> None:
    keys(stack, ring, A)
    tidecast("deploy", "retail", "--partitions", "1")
    ring.setenv("TIDECAST_DATA", "/nowhere")
    signed = load_settings(
        kafka=stack.kafka, registry=stack.registry, redis_url=stack.redis, clickhouse_url=stack.clickhouse,
        model_store=stack.model_store, signing_keys="", unsigned=True,
    )  # fmt: skip
    with pytest.raises(TidecastError, match="is signed and this process has no key, whatever TIDECAST_UNSIGNED"):
        current_deployment(signed)


def test_without_a_key_nothing_starts_unless_told(
    stack: Stack, tidecast: Tidecast, ring: pytest.MonkeyPatch, tmp_path: object
) -> None:
    apart = {
        "TIDECAST_DATA": str(tmp_path), "TIDECAST_KAFKA": stack.kafka, "TIDECAST_REGISTRY": stack.registry,
        "TIDECAST_REDIS_URL": stack.redis, "TIDECAST_CLICKHOUSE_URL": stack.clickhouse,
        "TIDECAST_MODEL_STORE": stack.model_store,
    }  # fmt: skip
    for name, value in apart.items():
        ring.setitem(stack.env, name, value)
    for command in (("deploy", "retail"), ("worker", "--use-case", "retail"), ("status",)):
        refused = tidecast(*command, check=False)
        assert refused.returncode == 1 and "There is no signing key: set TIDECAST_SIGNING_KEYS" in refused.stderr
    made = tidecast("keys", "new", "first").stdout.strip()
    ring.setitem(stack.env, "TIDECAST_SIGNING_KEYS", made)  # as the sentence says
    tidecast("deploy", "retail", "--partitions", "1")
    assert tidecast("keys", "ticks").stdout.startswith("first=")


def test_unsigned_is_a_setting(stack: Stack, tidecast: Tidecast, ring: pytest.MonkeyPatch, tmp_path: object) -> None:
    own = {
        "TIDECAST_DATA": str(tmp_path), "TIDECAST_KAFKA": stack.kafka, "TIDECAST_REGISTRY": stack.registry,
        "TIDECAST_REDIS_URL": stack.redis, "TIDECAST_CLICKHOUSE_URL": stack.clickhouse,
        "TIDECAST_MODEL_STORE": stack.model_store, "TIDECAST_UNSIGNED": "true",
    }  # fmt: skip
    for name, value in own.items():
        ring.setitem(stack.env, name, value)
    tidecast("deploy", "retail", "--partitions", "1")
    tidecast("status", "--use-case", "retail")
    ring.setitem(stack.env, "TIDECAST_SIGNING_KEYS", A)
    assert "not signed with a key" in tidecast("status", "--use-case", "retail", check=False).stderr
