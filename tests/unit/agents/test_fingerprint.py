"""The fingerprint that a deployment records of its process."""

from pathlib import Path

import pytest

from agents.fingerprint import code_digest, running
from streams import kernels


@pytest.mark.parametrize("name", ["stage.py", "kernels/tiles.pyx", "kernels/records.pxi"])
def test_a_changed_source_changes_the_code(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.parent.mkdir(exist_ok=True)
    source.write_text("x = 1")
    before = code_digest(tmp_path)
    source.write_text("x = 2")
    assert code_digest(tmp_path) != before


def test_what_is_built_from_sources_does_not_change_the_code(tmp_path: Path) -> None:
    before = code_digest(tmp_path)
    (tmp_path / "tiles.cpython-311.so").write_text("machine code")
    assert code_digest(tmp_path) == before


def test_kernels_left_out_are_recorded_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    running.cache_clear()
    assert running().kernels is kernels.compiled()
    running.cache_clear()
    monkeypatch.setenv(kernels.PURE, "1")
    assert running().kernels is False
    running.cache_clear()
