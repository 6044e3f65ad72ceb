"""Where snapshots are kept, whoever implements it."""

from typing import Protocol


class ModelStore(Protocol):
    """Blobs by path such as `churn/logistic/1/00000000000000081233.snapshot`. All methods may raise
    Unavailable."""

    def put(self, path: str, blob: bytes) -> None:
        """Write all of it or nothing, durably; writing the same again changes nothing."""
        ...

    def get(self, path: str) -> bytes:
        """The blob; KeyError when there is none."""
        ...

    def list(self, prefix: str) -> list[str]:
        """All paths that begin with `prefix` (a folder, with its trailing slash), sorted."""
        ...
