"""Snapshots in a folder or a bucket, by any fsspec URL: file:///var/models, s3://bucket/models …"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from streams.errors import SettingError, Unavailable


class FsspecModelStore:
    """A ModelStore over fsspec. A local file is written beside its place, synced, then renamed, so that a kill or a
    power cut leaves the old file or the new one; object stores put objects as a whole by themselves."""

    def __init__(self, url: str) -> None:
        """`url`: folder under which all snapshots lie. SettingError when no file system fits it."""
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingError(
                f"The model store {url!r} cannot be opened ({error}); name a folder such as file:///var/models, or "
                "install fsspec's package for this kind of address."
            ) from error
        self._root = self._root.rstrip("/")
        # A listing must show what another process wrote a moment ago.
        self._fs.use_listings_cache = False

    def put(self, path: str, blob: bytes) -> None:
        """See streams.models.store.ModelStore."""
        place = self._place(path)
        with _available(path):
            if isinstance(self._fs, LocalFileSystem):
                _write_durably(place, blob)
            else:
                self._fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(place, blob)

    def get(self, path: str) -> bytes:
        """See streams.models.store.ModelStore."""
        with _available(path):
            try:
                return bytes(self._fs.cat_file(self._place(path)))
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise KeyError(path) from None

    def list(self, prefix: str) -> list[str]:
        """See streams.models.store.ModelStore."""
        folder = self._place(prefix.rpartition("/")[0])
        with _available(prefix):
            try:
                self._fs.invalidate_cache(folder)
                found = self._fs.find(folder)
            except (FileNotFoundError, NotADirectoryError):
                return []
        paths = (str(place)[len(self._root) + 1 :] for place in found)
        return sorted(path for path in paths if path.startswith(prefix) and not path.endswith(".part"))

    def _place(self, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} is no path inside the model store.")
        return f"{self._root}/{path}"


def _write_durably(place: str, blob: bytes) -> None:
    folder = os.path.dirname(place)
    os.makedirs(folder, exist_ok=True)
    part = f"{place}.{uuid4().hex}.part"
    try:
        with open(part, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, place)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _available(path: str) -> Iterator[None]:
    """Whatever goes wrong on the way to the store is Unavailable: wait and try again."""
    try:
        yield
    except (KeyError, Unavailable):
        raise
    except Exception as error:
        raise Unavailable(
            f"The model store does not answer for {path} ({type(error).__name__}: {error}); check its address and disk."
        ) from error
