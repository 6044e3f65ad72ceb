"""The checks of `tidecast worker` before it connects to any server."""

import pytest
from click.testing import CliRunner

from agents.cli import COMMANDS, tidecast


def test_help_shows_examples_and_no_internal_option() -> None:
    result = CliRunner().invoke(tidecast, ["worker", "--help"])
    assert result.exit_code == 0
    assert "tidecast worker scoring --processes 2" in result.output
    assert "--supervised" not in result.output
    assert "worker" in COMMANDS


@pytest.mark.parametrize("words", [["dreaming"], ["--processes", "0"], ["--health-port", "99999"]])
def test_wrong_usage_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(tidecast, ["worker", *words]).exit_code == 2
