"""Minutes of fuzzing with new inputs in every run, against each target and a running endpoint."""

import os
import subprocess
import sys

import pytest

from tests.fuzz.__main__ import TARGETS

MINUTES = os.environ.get("MINUTES", "1")
SEED = str(int.from_bytes(os.urandom(4)))


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(target: str) -> None:
    options = ["--target", target, "--minutes", MINUTES, "--seed", SEED]
    subprocess.run([sys.executable, "-m", "tests.fuzz", *options], check=True)


def test_the_endpoint_lives() -> None:
    subprocess.run([sys.executable, "-m", "tests.fuzz.live", "--minutes", MINUTES, "--seed", SEED], check=True)
