from multiprocessing.connection import Connection

import click
import pytest

from load.bench.child_process import ChildProcess


def test_it_answers_and_what_has_ended_is_told() -> None:
    child = ChildProcess(Connection.send, "done")
    assert child.answer() == "done"
    with pytest.raises(click.ClickException, match="ended"):
        child.answer()
    child.end()
    with pytest.raises(click.ClickException, match="ended"):
        child.check_alive()


def test_to_close_the_pipe_ends_it() -> None:
    child = ChildProcess(Connection.recv)
    child.check_alive()
    child.end()
    with pytest.raises(click.ClickException):
        child.check_alive()
