"""What holds for all tests."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no names of tests: they may hold the present time, and processes that share the tests would disagree
    on what there is to run."""
    return argname if isinstance(val, bytes) else None
