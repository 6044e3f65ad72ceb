"""The baselines on real servers answer every event once for each target and leave nothing behind."""

import pytest
import redis
from confluent_kafka.admin import AdminClient

from load.baselines.measure import measure
from tests.waiting import PATIENCE_S


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["faust", "confluent"])
def test_a_small_backlog(stack, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("TIDECAST_DATA", str(stack.folder))
    prefix = f"test-{kind}-"
    figures = measure(kind, 1500, prefix=prefix)
    assert figures.system == kind and figures.events == 1500
    assert figures.drain_events_per_s > 0 and figures.cpu_us_per_event > 0 and figures.first_prediction_s
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    assert not [name for name in admin.list_topics(timeout=PATIENCE_S).topics if name.startswith(prefix)]
    assert not list(redis.Redis.from_url(stack.redis).scan_iter(f"{prefix}*", count=1000))


def test_the_bare_loop_needs_no_servers() -> None:
    assert measure("bare", 2000).drain_events_per_s > 0
