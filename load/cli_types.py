"""Types and checks of command-line options, applied before anything is measured."""

import math
import os
from pathlib import Path
from typing import Any

import click


class Finite(click.FloatRange):
    """A FloatRange that refuses NaN and infinity, which pass every comparison with a bound."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the value as a finite number in range. Fails as click requires."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


def writable(_context: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Check that the folder of the file that an option names exists and is writable. Raises BadParameter otherwise."""
    if file is not None and not os.access(file.absolute().parent, os.W_OK):
        raise click.BadParameter(f"the folder {file.absolute().parent} does not exist or is not writable")
    return file
