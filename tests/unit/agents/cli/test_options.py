"""Options that select rejected records, and readable forms of their keys."""

import os
import time

import click
import pytest
from click.testing import CliRunner

from agents.cli.options import selection_options, several_ids
from agents.dead_letters.rejected import key_text


@click.command()
@several_ids
@selection_options
def command(ids: tuple[str, ...], since: int | None, until: int | None, partition: int | None, customer: str) -> None:
    click.echo(repr((ids, since, until, partition, customer)))


def asked(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, words)
    return done.exit_code, done.output


def test_a_span_is_that_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 7_200.5)
    assert asked("--since", "2h") == (0, "((), 500, None, None, None)\n")


def test_a_time_is_utc() -> None:
    assert asked("--until", "1970-01-01T00:00:01", "7.0.1.0") == (0, "(('7.0.1.0',), None, 1000, None, None)\n")


@pytest.mark.parametrize(
    "words", [("--since", "yesterday"), ("--partition", "-1"), ("7.0.1",), ("c-42",), (f"1.{'9' * 5000}.1.1",)]
)
def test_what_is_neither_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert asked(*words)[0] == 2


def test_a_customer_that_is_no_text_is_asked_for_in_hex() -> None:
    for word in ("c-\u00e9", "0xff00"):
        assert asked("--customer", word) == (0, f"((), None, None, None, {word!r})\n")
    assert asked("--customer", os.fsdecode(b"\xff\x00")) == (0, "((), None, None, None, '0xff00')\n")


@pytest.mark.parametrize(("key", "text"), [(b"c-42", "c-42"), (b"\xff\x00", "0xff00"), (None, "-")])
def test_keys(key: bytes | None, text: str) -> None:
    assert key_text(key) == text
