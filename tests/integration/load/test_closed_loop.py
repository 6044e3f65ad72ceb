"""The short closed loop. The whole system answers exactly as a plain River loop does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.integration
ELEC2 = Path(__file__).parents[4] / "shared" / "data" / "elec2" / "electricity.csv.gz"


@pytest.mark.parametrize("data_set", ["phishing", "elec2"])
def test_accuracy_equals_rivers_own(data_set: str) -> None:
    arguments = [data_set, "--rows", "60"]
    if data_set == "elec2":
        if not ELEC2.exists():
            pytest.skip("River's Elec2 file is not here")
        arguments += ["--file", str(ELEC2)]
    done = subprocess.run(
        [sys.executable, "-m", "load.closed_loop", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prequential accuracy: Tidecast" in done.stdout
