"""`tidecast compile`: build the kernels."""

import time

import click
from rich.console import Console

from agents.operations.compile_kernels import NoCompiler, build
from streams.kernels import sources

NO_COMPILER = 3
"""The exit code of a machine that cannot compile. `make` goes on after it."""


@click.command()
def command() -> None:
    """Build the kernels: scoring's inner loops in C. Computing an event takes about half the time with them.

    `make` and the Docker image do it. It needs a C compiler, the headers of this Python and tidecast[compile]
    (Cython) and takes some seconds. It does nothing when they are already built. Results are the same without them.
    Kernels that were built from other sources are never used. TIDECAST_PURE=1 leaves them out.

    Exit code 0 when the kernels are compiled, 1 when one does not compile, 3 when this machine has no C compiler
    or no headers of this Python.

    \b
    tidecast compile
    TIDECAST_PURE=1 tidecast worker scoring     # without
    """
    began, names = time.monotonic(), []
    progress = Console(stderr=True, highlight=False)
    try:
        with progress.status("looking") as status:
            for name in build():
                names.append(name)
                status.update(f"compiling {name} ({len(names)} of {len(sources())})")
    except NoCompiler as error:
        click.echo(f"The kernels are not compiled: {error}. All works without them, more slowly.", err=True)
        click.get_current_context().exit(NO_COMPILER)
    seconds = time.monotonic() - began
    told = f"compiled {', '.join(names)} in {seconds:.1f} s" if names else "the kernels are compiled already"
    click.echo(told, err=True)
