"""How many examples a property is tried with."""

from hypothesis import settings


def thorough(times: int) -> settings:
    """So many times as many as the profile says (tests/conftest.py)."""
    return settings(max_examples=times * settings.default.max_examples)
