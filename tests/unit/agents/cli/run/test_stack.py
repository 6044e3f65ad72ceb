"""The options of `tidecast stack up`. The real command runs with a fake stack that records its listeners."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agents.cli.run import stack
from agents.stack.place import StackFolder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    seen: dict[str, object] = {}

    def up(folder: Path, _say: object, _ports: object, _base: object, listeners: object) -> StackFolder:
        seen["listeners"] = listeners
        return StackFolder(folder.resolve(), dict.fromkeys(("kafka", "registry", "redis", "clickhouse"), 1))

    monkeypatch.setattr(stack, "up", up)
    return seen


def test_listeners_are_ports_with_where_clients_come_back_to(asked: dict[str, object]) -> None:
    options = ["--kafka-listener", "21010:21011", "--kafka-listener", "21012:kafka.example:9092"]
    assert CliRunner().invoke(stack.command, ["up", *options]).exit_code == 0
    assert asked["listeners"] == {21010: "127.0.0.1:21011", 21012: "kafka.example:9092"}


@pytest.mark.parametrize("value", ["21010", "21010:", ":21011", "a:b", "21010:host", "0:1", "1:70000", "1:h:0"])
def test_anything_else_is_a_usage_error(asked: dict[str, object], value: str) -> None:
    done = CliRunner().invoke(stack.command, ["up", "--kafka-listener", value])
    assert done.exit_code == click.UsageError.exit_code
    assert "PORT:ADVERTISED" in done.output
    assert not asked
