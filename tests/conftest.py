"""Configuration for all tests."""

from hypothesis import HealthCheck, settings

# Run the same examples every time and on any machine. The code alone decides whether a test passes.
settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# `make test-full` runs new examples every time, and ten times as many.
settings.register_profile("new", settings.get_profile("same"), derandomize=False, max_examples=1000, print_blob=True)
settings.load_profile("same")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Keep bytes out of test ids. They may contain the current time, and parallel test processes would then collect
    different tests."""
    return argname if isinstance(val, bytes) else None
