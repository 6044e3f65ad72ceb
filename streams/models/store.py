"""The protocol of a model store."""

from typing import Protocol


class ModelStore(Protocol):
    """Blobs by path such as `churn/logistic/1/00000000000000081233.snapshot`. All methods may raise
    Unavailable."""

    def put(self, path: str, blob: bytes) -> None:
        """Write the whole blob durably, or nothing. Writing the same again changes nothing."""
        ...

    def get(self, path: str) -> bytes:
        """Return the blob. Raises KeyError when there is none."""
        ...

    def has(self, path: str) -> bool:
        """Return whether there is a blob."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Return all paths that begin with `prefix` (a folder, with its trailing slash), sorted."""
        ...
