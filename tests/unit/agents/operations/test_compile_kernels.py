"""Kernels are built once, found again, and never used when their sources have changed."""

import importlib.util
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.operations.compile_kernels import build
from streams import kernels
from streams.errors import TidecastError

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None or importlib.util.find_spec("Cython") is None, reason="no C compiler, or no Cython"
)


def forget() -> None:
    """As if the process began anew."""
    kernels.built.cache_clear()
    kernels.kernel.cache_clear()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A kernel of its own, in a folder of its own."""
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    monkeypatch.delenv(kernels.PURE, raising=False)
    forget()
    file = tmp_path / "tiny.pyx"
    file.write_text("def number():\n    return 1\n")
    yield file
    forget()


@needs_compiler
def test_what_is_built_is_found_until_its_source_changes(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.kernel("tiny") is None
    assert list(build()) == ["tiny"]
    assert list(build()) == []
    assert kernels.kernel("tiny") is None, "a process decides once"
    forget()
    found = kernels.kernel("tiny")
    assert found is not None and found.number() == 1 and kernels.kernel("tiny") is found
    monkeypatch.setenv(kernels.PURE, "1")
    forget()
    assert kernels.kernel("tiny") is None
    monkeypatch.delenv(kernels.PURE)
    old = kernels.built()
    source.write_text("def number():\n    return 2\n")
    forget()
    assert kernels.kernel("tiny") is None
    assert list(build()) == ["tiny"]
    assert not old.exists()


def test_an_included_file_is_part_of_the_source(source: Path) -> None:
    before = kernels.built()
    source.with_suffix(".pxi").write_text("# more\n")
    forget()
    assert kernels.built() != before


@needs_compiler
def test_what_does_not_compile_leaves_nothing(source: Path) -> None:
    source.write_text("def number(:\n")
    with pytest.raises(TidecastError, match="failed"):
        list(build())
    assert list(kernels.built().iterdir()) == []


@needs_compiler
def test_a_missing_compiler_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler")
    with pytest.raises(TidecastError, match="no-such-compiler is not there: install a C compiler"):
        list(build())
