"""The security settings in the terms of Faust and aiokafka."""

import ssl
from typing import Any

import aiokafka.record._crecords.default_records as compiled_records
import aiokafka.record.default_records as plain_records
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from agents.settings import Settings
from agents.transport.app import build_app

ADDRESSES = {
    "kafka": "127.0.0.1:9092,127.0.0.2:9093",
    "registry": "http://127.0.0.1:8081",
    "redis_url": "redis://127.0.0.1",
    "clickhouse_url": "http://127.0.0.1:8123",
    "model_store": "memory://models",
}


@pytest.fixture(autouse=True)
def away_from_the_stack(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(tmp_path))


def auth(**given: Any) -> dict[str, Any]:
    app = build_app(Settings(**ADDRESSES, **given), "tidecast-scoring", "host-0")
    found: dict[str, Any] = credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context)
    return found


def test_plain() -> None:
    assert auth()["security_protocol"] == "PLAINTEXT"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl(protocol: str, mechanism: str) -> None:
    found = auth(
        kafka_security_protocol=protocol,
        kafka_sasl_mechanism=mechanism,
        kafka_user="ann",
        kafka_password="secret",
    )
    assert (found["security_protocol"], found["sasl_mechanism"]) == (protocol, mechanism)
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("ann", "secret")
    assert isinstance(found.get("ssl_context"), ssl.SSLContext) == (protocol == "SASL_SSL")


def test_tls() -> None:
    found = auth(kafka_security_protocol="SSL")
    assert found["security_protocol"] == "SSL"
    assert found["ssl_context"].verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("records", [plain_records, compiled_records])
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_are_unpacked_within_bounds(
    records: Any, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, f"{codec}_decode", None)
    build_app(Settings(**ADDRESSES), "tidecast-scoring", "host-0")
    assert getattr(records, f"{codec}_decode").__module__ == "agents.transport.decompression"


def test_the_app_is_set_for_a_quick_return() -> None:
    app = build_app(Settings(**ADDRESSES, topic_prefix="eu."), "tidecast-scoring", "host-0")
    assert (app.conf.id, app.conf.consumer_group_instance_id) == ("eu.tidecast-scoring", "host-0")
    assert app.conf.broker_session_timeout == 6.0
    assert not app.conf.web_enabled
