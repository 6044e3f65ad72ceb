"""Builds Faust apps: one per stage, set up for batches, quick restarts and quiet logs."""

import ssl
from typing import Any

import faust
from aiokafka.helpers import create_ssl_context
from yarl import URL

from agents.settings import Settings
from agents.transport.batch_consumer import BatchApp, PromptTables
from agents.transport.decompression import install

SESSION_TIMEOUT_S = 6.0
"""The least that brokers allow by default. A worker that is dead for good is replaced after it."""
HEARTBEAT_S = 1.0
METADATA_AGE_MS = 5_000
"""Metadata is renewed this often, so that topics of a broker that just started are seen soon."""
NO_LIMIT_S = 1e6
"""The maximum time for one batch, seconds: practically none, because a store may be away for long. Heartbeats
continue."""


def build_app(settings: Settings, group: str, instance: str) -> BatchApp:
    """Build a Faust app for the consumer group `group`.

    `instance` is the id of its static membership: a worker that comes back within the session time-out gets its
    partitions without a rebalance."""
    install()
    app = BatchApp(
        settings.topic_prefix + group,
        broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka.split(",")],
        broker_credentials=_credentials(settings),
        store="memory://",
        datadir=str(settings.data / "faust"),  # Faust creates empty folders here; by default in the working directory
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        stream_ack_cancelled_tasks=False,
        broker_max_poll_records=None,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=1.0,
        broker_max_poll_interval=NO_LIMIT_S,
        consumer_group_instance_id=instance,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        producer_request_timeout=10.0,
        TableManager=PromptTables,
    )
    app.prefix = settings.topic_prefix
    app.address = settings.kafka
    return app


def _credentials(settings: Settings) -> Any:
    """Return the security settings in Faust's terms; None for a plain connection."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    context: ssl.SSLContext | None = None
    if settings.kafka_security_protocol.endswith("SSL"):
        context = create_ssl_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    if not settings.kafka_user:
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )
