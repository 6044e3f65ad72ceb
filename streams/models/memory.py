"""A model store in memory."""


class MemoryModelStore:
    """A ModelStore in memory, for tests and for replay."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, path: str, blob: bytes) -> None:
        """See ModelStore."""
        self.blobs[path] = blob

    def get(self, path: str) -> bytes:
        """See ModelStore."""
        return self.blobs[path]

    def has(self, path: str) -> bool:
        """See ModelStore."""
        return path in self.blobs

    def list(self, prefix: str) -> list[str]:
        """See ModelStore."""
        return sorted(path for path in self.blobs if path.startswith(prefix))
