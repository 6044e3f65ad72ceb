"""The number of examples of a property test."""

from hypothesis import settings


def thorough(times: int) -> settings:
    """Return settings with this multiple of the profile's examples (tests/conftest.py)."""
    return settings(max_examples=times * settings.default.max_examples)
