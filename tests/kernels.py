"""Tests of the kernels skip where these are not compiled, and fail instead where they are required."""

import os

import pytest

REQUIRED = "TIDECAST_REQUIRE_KERNELS"
"""Environment variable. `make` sets it where there is a C compiler, so that a broken kernel fails its tests."""


def kernels_missing() -> None:
    """Skip the test or the module that calls this; fail it when kernels are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"the kernels are not compiled, and {REQUIRED} is set: run tidecast compile", pytrace=False)
    pytest.skip("the kernels are not compiled: run tidecast compile", allow_module_level=True)
