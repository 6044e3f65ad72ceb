"""Settings: their sources, the errors for invalid ones, and secrets that never appear in output."""

import json
import os

import pytest

from agents.settings import load_settings
from streams.errors import SettingError
from streams.keys import TICKS, Key, Keys

STACK = {
    "kafka": "127.0.0.1:9092",
    "registry": "http://127.0.0.1:8081/apis/ccompat/v7",
    "redis": "unix:///tmp/redis.sock",
    "clickhouse": "http://127.0.0.1:8123",
    "model_store": "file:///tmp/models",
    "signing_key": "00ff",
}


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("TIDECAST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TIDECAST_DATA", str(tmp_path))
    (tmp_path / "stack.json").write_text(json.dumps({**STACK, "pids": {}}))


def said(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(f"TIDECAST_{name}", value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    text = str(caught.value)
    assert "\n" not in text and text.endswith((".", "?"))
    return text


def test_the_local_stack_is_found():
    settings = load_settings()
    assert settings.kafka == STACK["kafka"]
    assert settings.redis() == {"url": STACK["redis"]}
    assert settings.keys == Keys.of(Key.of("", b"00ff"))


def test_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv("TIDECAST_KAFKA", "broker-1:9092,broker-2:9092")
    monkeypatch.setenv("TIDECAST_TOPIC_PREFIX", "eu.")
    settings = load_settings(topic_prefix="us.")
    assert settings.kafka == "broker-1:9092,broker-2:9092"
    assert settings.topic("predictions") == "us.predictions"
    assert load_settings().topic("predictions") == "eu.predictions"


def test_without_anything_the_remedy_is_named(tmp_path, monkeypatch):
    (tmp_path / "stack.json").unlink()
    assert "TIDECAST_KAFKA is not set" in said(monkeypatch)
    assert "tidecast stack up" in said(monkeypatch)


def test_a_broken_stack_file(tmp_path, monkeypatch):
    (tmp_path / "stack.json").write_text("{")
    assert "tidecast stack up" in said(monkeypatch)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("KAFKA", "localhost", "host:port"),
        ("KAFKA", "localhost:99999", "host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "SASL_SSL"),
        ("KAFKA_USER", "me", "TIDECAST_KAFKA_SECURITY_PROTOCOL"),
        ("REGISTRY", "localhost:8081", "http://"),
        ("REGISTRY", "http://[", "URL"),
        ("REDIS_URL", "http://localhost", "redis://"),
        ("CLICKHOUSE_URL", "clickhouse://x", "https://"),
        ("CLICKHOUSE_DATABASE", "a; drop", "pattern"),
        ("TOPIC_PREFIX", "a b", "pattern"),
        ("BATCH_RECORDS", "0", "greater"),
        ("BATCH_RECORDS", "many", "integer"),
        ("CA_FILE", "/does/not/exist", "file"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch, name, value, word):
    text = said(monkeypatch, **{name: value})
    assert f"TIDECAST_{name}" in text
    assert word in text


def test_sasl_needs_user_and_password(monkeypatch):
    text = said(monkeypatch, KAFKA_SECURITY_PROTOCOL="SASL_SSL", KAFKA_USER="me")
    assert "TIDECAST_KAFKA_PASSWORD" in text


def test_a_misspelt_setting_is_not_ignored(monkeypatch):
    assert said(monkeypatch, KAFKA_PASWORD="x") == (
        "There is no setting TIDECAST_KAFKA_PASWORD; did you mean TIDECAST_KAFKA_PASSWORD?"
    )


def test_secrets_never_show(monkeypatch):
    secrets = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USER": "me",
        "KAFKA_PASSWORD": "hush-1",
        "REGISTRY_PASSWORD": "hush-2",
        "REDIS_PASSWORD": "hush-3",
        "REDIS_URL": "redis://me:hush-4@localhost",
        "CLICKHOUSE_PASSWORD": "hush-5",
        "SIGNING_KEY": "hush-6",
        "CLICKHOUSE_URL": "http://me:hush-7@localhost",
        "MODEL_STORE": "s3://key:hush-8@bucket",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(f"TIDECAST_{name}", value)
    settings = load_settings()
    assert "hush" not in f"{settings!r} {settings}"
    for name in ("REDIS_URL", "CLICKHOUSE_URL", "REGISTRY"):
        with monkeypatch.context() as patch:
            assert "hush" not in said(patch, **{name: "ftp://me:hush-9@localhost"})


def test_the_clients_get_credentials_and_certificates(monkeypatch):
    certificates = os.path.join(os.path.dirname(__import__("certifi").__file__), "cacert.pem")
    variables = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_USER": "me",
        "KAFKA_PASSWORD": "k",
        "REGISTRY": "https://registry.example/apis/ccompat/v7/",
        "REGISTRY_USER": "me",
        "REGISTRY_PASSWORD": "r",
        "REDIS_URL": "rediss://redis.example:6380/1",
        "REDIS_USER": "me",
        "REDIS_PASSWORD": "p",
        "CLICKHOUSE_URL": "https://clickhouse.example",
        "CLICKHOUSE_USER": "me",
        "CLICKHOUSE_PASSWORD": "c",
        "CA_FILE": certificates,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"TIDECAST_{name}", value)
    settings = load_settings()
    assert settings.confluent() == {
        "bootstrap.servers": STACK["kafka"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": "k",
        "ssl.ca.location": certificates,
    }
    aiokafka = settings.aiokafka()
    assert aiokafka.pop("ssl_context").get_ca_certs()
    assert aiokafka == {
        "bootstrap_servers": STACK["kafka"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "k",
    }
    assert settings.redis() == {
        "url": "rediss://redis.example:6380/1",
        "username": "me",
        "password": "p",
        "ssl_ca_certs": certificates,
    }
    registry = settings.registry_http()
    assert registry["base_url"] == "https://registry.example/apis/ccompat/v7/"
    assert registry["auth"] == ("me", "r")
    assert registry["verify"].get_ca_certs()
    assert settings.clickhouse() == {
        "host": "clickhouse.example",
        "port": 8443,
        "secure": True,
        "username": "me",
        "password": "c",
        "ca_cert": certificates,
    }


def test_the_clients_take_what_they_are_given(monkeypatch):
    """The clients accept every option. The tests have no secured server, which would reject a misspelt option."""
    import httpx2
    import redis
    from aiokafka import AIOKafkaProducer
    from confluent_kafka import Producer

    for name, value in {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USER": "me",
        "KAFKA_PASSWORD": "k",
        "REDIS_PASSWORD": "p",
        "REGISTRY_USER": "me",
    }.items():
        monkeypatch.setenv(f"TIDECAST_{name}", value)
    settings = load_settings()
    Producer(settings.confluent() | {"log_level": 0})
    redis.Redis.from_url(**settings.redis())
    httpx2.Client(**settings.registry_http()).close()

    async def make():
        AIOKafkaProducer(**settings.aiokafka())

    import asyncio

    asyncio.run(make())


def test_the_first_key_signs_and_that_without_an_id_still_verifies(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDECAST_SIGNING_KEYS", "b=the-second-secret,a=the-first-secret")
    monkeypatch.setenv("TIDECAST_TOPIC_PREFIX", "eu.")
    keys = load_settings().keys
    assert [key.id for key in keys.ring] == ["b", "a", ""] and keys.signer == Key.of("b", b"the-second-secret")
    assert keys.system == "eu."
    file = tmp_path / "keys"
    file.write_text("b=the-second-secret\na=the-first-secret\n")
    monkeypatch.setenv("TIDECAST_SIGNING_KEYS", str(file))
    assert load_settings().keys == keys
    assert "the-second-secret" not in repr(load_settings())


def test_a_publisher_gets_the_keys_of_ticks_alone(monkeypatch, tmp_path):
    (tmp_path / "stack.json").write_text(json.dumps({**STACK, "signing_key": ""}))
    derived = Key.of("b", b"the-second-secret").parts[TICKS]
    monkeypatch.setenv("TIDECAST_TICK_KEYS", f"b={derived.hex()}")
    assert load_settings().keys == Keys.of(Key("b", {TICKS: derived}))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("short=secret", "entry 1 is not ID=SECRET"),
        ("a=0123456789abcdef,0123456789abcdef", "entry 2 is not ID=SECRET"),
        ("a=0123456789abcdef,a=0123456789abcdeg", "two keys 'a'"),
        ("/nowhere/keys", "cannot be read"),
    ],
)
def test_wrong_keys_are_said_without_their_secrets(monkeypatch, value, words):
    monkeypatch.setenv("TIDECAST_SIGNING_KEYS", value)
    with pytest.raises(SettingError, match=words) as caught:
        _ = load_settings().keys
    assert "0123456789" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://app:p%40ss%2Fw@registry.example:8081/apis", "https://app:p%40ss%2Fw@h/x"])
def test_credentials_in_a_url_are_used_and_stand_nowhere_else(monkeypatch, url):
    monkeypatch.setenv("TIDECAST_REGISTRY", url)
    monkeypatch.setenv("TIDECAST_CLICKHOUSE_URL", "http://writer:s3cret@clickhouse.example:8123")
    settings = load_settings()
    assert settings.registry == url.replace("app:p%40ss%2Fw@", "")
    assert settings.registry_http()["auth"] == ("app", "p@ss/w")
    connection = settings.clickhouse()
    assert (connection["host"], connection["username"], connection["password"]) == (
        "clickhouse.example",
        "writer",
        "s3cret",
    )
    assert "p%40ss" not in repr(settings) and "s3cret" not in repr(settings)


def test_settings_of_their_own_come_before_a_urls_credentials(monkeypatch):
    monkeypatch.setenv("TIDECAST_CLICKHOUSE_URL", "http://writer:old@clickhouse.example")
    monkeypatch.setenv("TIDECAST_CLICKHOUSE_PASSWORD", "new")
    connection = load_settings().clickhouse()
    assert (connection["username"], connection["password"]) == ("writer", "new")


def test_a_user_in_kafkas_address_is_refused_without_being_shown(monkeypatch):
    text = said(monkeypatch, KAFKA="app:s3cret@broker:9092")
    assert "TIDECAST_KAFKA_USER" in text and "s3cret" not in text
