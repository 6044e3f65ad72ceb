"""Option types of the load tools."""

from pathlib import Path

import click
import pytest

from load.cli_types import Finite, writable


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0.5", "11", "x"])
def test_only_numbers_in_range_are_accepted(value: str) -> None:
    with pytest.raises(click.BadParameter):
        Finite(1, 10).convert(value, None, None)


def test_a_number_in_range_is_converted() -> None:
    assert Finite(1).convert("2.5", None, None) == 2.5


def test_the_folder_of_a_file_must_exist(tmp_path: Path) -> None:
    option = click.Option(["--json"])
    context = click.Context(click.Command("any"))
    assert writable(context, option, None) is None
    assert writable(context, option, tmp_path / "figures.json") == tmp_path / "figures.json"
    with pytest.raises(click.BadParameter, match="not writable"):
        writable(context, option, tmp_path / "nowhere" / "figures.json")
