"""Skip kernel tests when the kernels are not compiled. Fail them instead when the kernels are required."""

import os

import pytest

REQUIRED = "TIDECAST_REQUIRE_KERNELS"
"""Environment variable. `make` sets it on machines with a C compiler. A broken kernel then fails its tests."""


def kernels_missing() -> None:
    """Skip the calling test or module. Fail it when kernels are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"the kernels are not compiled, and {REQUIRED} is set: run tidecast compile", pytrace=False)
    pytest.skip("the kernels are not compiled: run tidecast compile", allow_module_level=True)
