"""Kernels are built once, found again, and never used when their sources have changed."""

import importlib.util
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.compiling import build
from streams import kernels
from streams.errors import TidecastError

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None or importlib.util.find_spec("Cython") is None, reason="no C compiler, or no Cython"
)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A kernel of its own, in a folder of its own."""
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    monkeypatch.delenv(kernels.PURE, raising=False)
    kernels.built.cache_clear()
    file = tmp_path / "tiny.pyx"
    file.write_text("def number():\n    return 1\n")
    yield file
    kernels.built.cache_clear()


@needs_compiler
def test_what_is_built_is_found_until_its_source_changes(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.kernel("tiny") is None
    assert list(build()) == ["tiny"]
    assert list(build()) == []
    found = kernels.kernel("tiny")
    assert found is not None and found.number() == 1 and kernels.kernel("tiny") is found
    monkeypatch.setenv(kernels.PURE, "1")
    assert kernels.kernel("tiny") is None
    monkeypatch.delenv(kernels.PURE)
    old = kernels.built()
    source.write_text("def number():\n    return 2\n")
    kernels.built.cache_clear()
    assert kernels.kernel("tiny") is None
    assert list(build()) == ["tiny"]
    assert not old.exists()


@needs_compiler
def test_an_included_file_is_part_of_the_source(source: Path) -> None:
    before = kernels.built()
    source.with_suffix(".pxi").write_text("# more\n")
    kernels.built.cache_clear()
    assert kernels.built() != before


@needs_compiler
def test_what_does_not_compile_leaves_nothing(source: Path) -> None:
    source.write_text("def number(:\n")
    with pytest.raises(TidecastError, match="failed"):
        list(build())
    assert list(kernels.built().iterdir()) == []


def test_a_missing_compiler_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler")
    with pytest.raises(TidecastError, match="install"):
        list(build())
