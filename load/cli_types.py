"""What is given on the command line, checked before anything is measured."""

import math
import os
from pathlib import Path
from typing import Any

import click


class Finite(click.FloatRange):
    """A FloatRange that refuses NaN and infinity, which compare with everything."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click asks."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number", param, ctx)
        return found


def writable(_context: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Callback of an option that names a file: its folder must be there, and may be written."""
    if file is not None and not os.access(file.absolute().parent, os.W_OK):
        raise click.BadParameter(f"nothing can be written into {file.absolute().parent}")
    return file
