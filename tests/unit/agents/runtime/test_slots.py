import subprocess
import sys
from pathlib import Path

import pytest

from agents.runtime.slots import Slot, alone
from streams.errors import SettingError, TidecastError

HOLD = """
import sys, pathlib
from agents.runtime.slots import Slot
slot = Slot(pathlib.Path(sys.argv[1]), "scoring")
print(slot.number, flush=True)
sys.stdin.read()
"""


def test_two_living_workers_never_share_a_slot_and_kinds_do_not_meet(tmp_path: Path) -> None:
    with Slot(tmp_path, "scoring") as first, Slot(tmp_path, "scoring") as second, Slot(tmp_path, "history") as other:
        assert (first.number, second.number, other.number) == (0, 1, 0)
    with Slot(tmp_path, "scoring") as again:
        assert again.number == 0


def test_what_is_done_alone_is_not_done_twice_at_once(tmp_path: Path) -> None:
    with alone(tmp_path / "run", "rebuild"):
        with alone(tmp_path / "run", "something else"):
            pass
        with pytest.raises(TidecastError, match="Another rebuild is running"), alone(tmp_path / "run", "rebuild"):
            pass
    with alone(tmp_path / "run", "rebuild"):
        pass


def test_a_killed_worker_leaves_its_slot_to_its_successor(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "0\n"
        with Slot(tmp_path, "scoring") as beside:
            assert beside.number == 1
            child.kill()
            child.wait()
            with Slot(tmp_path, "scoring") as successor:
                assert successor.number == 0


def test_a_folder_that_cannot_be_made_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for use in (lambda folder: Slot(folder, "scoring"), lambda folder: alone(folder, "rebuild").__enter__()):
        with pytest.raises(SettingError, match=r"cannot be written \(.+\); set TIDECAST_DATA to a folder"):
            use(tmp_path / "file" / "run")
