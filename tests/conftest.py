"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# The same examples in every run, however slow the machine is: a test passes or fails by the code alone.
settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# `make test-full`: new examples in every run, and ten times as many.
settings.register_profile("new", settings.get_profile("same"), derandomize=False, max_examples=1000, print_blob=True)
settings.load_profile("same")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no names of tests: they may hold the present time, and processes that share the tests would disagree
    on what there is to run."""
    return argname if isinstance(val, bytes) else None
