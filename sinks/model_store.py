"""Keeps snapshots in a folder or bucket, by any fsspec URL: file:///var/models, s3://bucket/models …"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sinks.failpoints import SNAPSHOT_BEGUN, SNAPSHOT_PUT, hit
from streams.errors import SettingError, Unavailable
from streams.models.snapshot import LIMIT, BadSnapshot


class FsspecModelStore:
    """A ModelStore over fsspec.

    A local file is written under a temporary name, synced and renamed, so that a kill or a power cut leaves the old
    file or the new one. Object stores write whole objects by themselves."""

    def __init__(self, url: str) -> None:
        """`url`: the folder of all snapshots. Raises SettingError when no file system fits it."""
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingError(
                f"The model store {url!r} cannot be opened ({error}); name a folder such as file:///var/models, or "
                "install fsspec's package for this kind of address (for s3://: `pip install tidecast[s3]`)."
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
            hit(SNAPSHOT_PUT)

    def get(self, path: str) -> bytes:
        """See streams.models.store.ModelStore. Raises BadSnapshot for what is too large, or a link, a pipe or a
        device."""
        place = self._place(path)
        with _available(path):
            try:
                if isinstance(self._fs, LocalFileSystem):
                    return _read_safely(self._root, path)
                size = int(self._fs.info(place).get("size") or 0)
                if size > LIMIT:
                    raise _too_large(path)
                return bytes(self._fs.cat_file(place))
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise KeyError(path) from None

    def has(self, path: str) -> bool:
        """See streams.models.store.ModelStore."""
        place = self._place(path)
        with _available(path):
            try:
                self._fs.info(place)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

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
            raise ValueError(f"{path!r} is not a path inside the model store.")
        return f"{self._root}/{path}"


def _read_safely(root: str, path: str) -> bytes:
    """Read a file's bytes; refuse links, pipes, devices and files that are too large."""
    place = f"{root}/{path}"
    if os.path.islink(place) or os.path.realpath(place) != os.path.normpath(f"{os.path.realpath(root)}/{path}"):
        raise _no_file(path)
    # non-blocking: opening a pipe would wait for a writer
    with open(os.open(place, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise _no_file(path)
        if about.st_size > LIMIT:
            raise _too_large(path)
        return file.read(LIMIT + 1)


def _no_file(path: str) -> BadSnapshot:
    return BadSnapshot(f"{path} in the model store is a link, a pipe or a device; put the snapshot itself there.")


def _too_large(path: str) -> BadSnapshot:
    return BadSnapshot(f"{path} in the model store has more than the {LIMIT} bytes allowed; it is not read.")


def _write_durably(place: str, blob: bytes) -> None:
    folder = os.path.dirname(place)
    os.makedirs(folder, exist_ok=True)
    part = f"{place}.{uuid4().hex}.part"
    try:
        with open(part, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        hit(SNAPSHOT_BEGUN)
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
    """Translate errors of the file system to Unavailable: wait and try again."""
    try:
        yield
    except (KeyError, Unavailable, BadSnapshot):
        raise
    except Exception as error:
        raise Unavailable(
            f"The model store does not answer for {path} ({type(error).__name__}: {error}); check its address and disk."
        ) from error
