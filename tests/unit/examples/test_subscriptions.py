"""The commands in the README of the subscriptions example that need no servers."""

import csv
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.define.check import command as check
from agents.cli.define.publish import command as publish

ROOT = Path(__file__).parents[3]
EXAMPLE = "examples/subscriptions"


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_it_is_valid() -> None:
    done = CliRunner().invoke(check, [EXAMPLE])
    assert done.exit_code == 0, done.output
    assert "subscriptions is valid: 1 event, 6 features, 1 target" in done.output


def test_every_row_of_its_sample_becomes_an_event() -> None:
    mapping = ["--mapping", f"{EXAMPLE}/mapping.toml", "--use-case", EXAMPLE, "--dry-run", "--strict"]
    done = CliRunner().invoke(publish, [f"{EXAMPLE}/sample.csv", *mapping])
    assert done.exit_code == 0, done.output
    assert "243 rows, 0 rejected" in done.output


def test_each_question_sees_one_charge() -> None:
    """The horizon of 32 days contains a customer's next charge and no other one, as the README says."""
    days: dict[str, list[int]] = {}
    with (ROOT / EXAMPLE / "sample.csv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            days.setdefault(row["account"], []).append(datetime.strptime(row["date"], "%d.%m.%Y").toordinal())
    gaps = {later - day for charges in days.values() for day, later in pairwise(charges)}
    assert max(gaps) <= 32 < 2 * min(gaps)
