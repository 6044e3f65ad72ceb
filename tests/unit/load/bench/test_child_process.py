from multiprocessing.connection import Connection

import click
import pytest

from load.bench.child_process import ChildProcess


def test_it_answers_and_an_ended_process_is_reported() -> None:
    child = ChildProcess(Connection.send, "done")
    assert child.receive() == "done"
    with pytest.raises(click.ClickException, match="ended"):
        child.receive()
    child.end()
    with pytest.raises(click.ClickException, match="ended"):
        child.check_alive()


def test_closing_the_pipe_ends_the_process() -> None:
    child = ChildProcess(Connection.recv)
    child.check_alive()
    child.end()
    with pytest.raises(click.ClickException):
        child.check_alive()
