"""Kernels are built once and found again. A kernel is not used when its source has changed."""

import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.run.compile import NO_COMPILER, command
from agents.operations import compile_kernels
from agents.operations.compile_kernels import NoCompiler, build
from streams import kernels
from streams.errors import TidecastError
from tests.kernels import REQUIRED

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
needs_compiler = pytest.mark.skipif(
    REQUIRED not in os.environ and (shutil.which(COMPILER) is None or importlib.util.find_spec("Cython") is None),
    reason="no C compiler, or no Cython",
)


def forget() -> None:
    """Clear the caches, as in a new process."""
    kernels.built.cache_clear()
    kernels.kernel.cache_clear()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a kernel in its own folder."""
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    monkeypatch.setattr(compile_kernels, "FLAGS", (*compile_kernels.FLAGS, "-O0"))  # builds three times as fast
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
    assert kernels.kernel("tiny") is None, "a process looks for a kernel once"
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


BROKEN = {"Cython": "def number(:\n", "C": 'cdef extern from "no_such.h":\n    int number()\n'}


@needs_compiler
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_kernel_is_named_and_leaves_nothing(source: Path, text: str) -> None:
    source.write_text(text)
    done = CliRunner().invoke(command)
    assert isinstance(done.exception, TidecastError) and not isinstance(done.exception, NoCompiler)
    assert "the kernel tiny.pyx does not compile" in str(done.exception)
    assert list(kernels.built().iterdir()) == []


def test_a_machine_without_a_compiler_has_an_exit_code_of_its_own(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler -pthread")
    done = CliRunner().invoke(command)
    assert done.exit_code == NO_COMPILER
    assert "no-such-compiler was not found: install a C compiler" in done.stderr
    assert not kernels.built().exists()


@needs_compiler
def test_so_has_a_machine_without_the_headers(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    done = CliRunner().invoke(command)
    assert done.exit_code == NO_COMPILER
    assert f"no Python.h in {tmp_path}" in done.stderr


def test_a_missing_compiler_is_no_hindrance_where_the_kernels_are_built(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels.built().mkdir(parents=True)
    kernels.file_of("tiny").touch()
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler")
    assert CliRunner().invoke(command).exit_code == 0
