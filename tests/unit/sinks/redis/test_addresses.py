"""Addresses of several Redis servers."""

import pytest

from sinks.redis.addresses import ManyServers, many_servers
from streams.errors import SettingError


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://h:1/0", None),
        ("unix:///a+b/redis.sock", None),
        ("redis+cluster://a:1,b:2", ManyServers(False, "cluster", "", "", [("a", 1), ("b", 2)], "", 0)),
        ("rediss+cluster://u:p%40w@a:1/", ManyServers(True, "cluster", "u", "p@w", [("a", 1)], "", 0)),
        (
            "redis+sentinel://:pw@a:1,b:2/state",
            ManyServers(False, "sentinel", "", "pw", [("a", 1), ("b", 2)], "state", 0),
        ),
        ("redis+sentinel://a:1/state/3", ManyServers(False, "sentinel", "", "", [("a", 1)], "state", 3)),
        ("redis+cluster://[::1]:1", ManyServers(False, "cluster", "", "", [("::1", 1)], "", 0)),
    ],
)
def test_forms(url: str, found: ManyServers | None) -> None:
    assert many_servers(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://u:secret@a:1",
        "redis+cluster://u:secret@a:1/name",
        "redis+cluster://u:secret@a",
        "redis+cluster://u:secret@a:0",
        "redis+cluster://",
        "redis+other://u:secret@a:1",
    ],
)
def test_other_forms_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(SettingError, match="The Redis address is wrong") as error:
        many_servers(url)
    assert "secret" not in str(error.value) and "redis+sentinel://" in str(error.value)
