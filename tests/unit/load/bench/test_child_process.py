from multiprocessing.connection import Connection

import click
import pytest

from load.bench.child_process import Apart


def test_it_answers_and_what_has_ended_is_told() -> None:
    apart = Apart(Connection.send, "done")
    assert apart.answer() == "done"
    with pytest.raises(click.ClickException, match="ended"):
        apart.answer()
    apart.end()
    with pytest.raises(click.ClickException, match="ended"):
        apart.check_alive()


def test_to_close_the_pipe_ends_it() -> None:
    apart = Apart(Connection.recv)
    apart.check_alive()
    apart.end()
    with pytest.raises(click.ClickException):
        apart.check_alive()
