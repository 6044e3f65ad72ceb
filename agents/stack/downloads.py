"""Downloads the Java servers once from Maven Central, into a cache that all data folders share."""

import os
import shutil
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agents.stack.place import locked
from streams.errors import SettingError, Unavailable

KAFKA_VERSION = "4.1.0"
REGISTRY_VERSION = "3.3.3"
# slf4j-simple: without a binding the broker logs nothing, even when it fails
KAFKA_COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")

Say = Callable[[str], None]
"""Shows a line of progress to a person."""


def cache_folder() -> Path:
    """Return TIDECAST_CACHE, or `tidecast` in the user's cache folder. Raises SettingError if it is read-only."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("TIDECAST_CACHE") or Path(base) / "tidecast")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"The cache folder {folder} cannot be written ({error.strerror}); choose one with TIDECAST_CACHE."
        ) from error
    return folder


def kafka_jars(say: Say) -> Path:
    """Return the folder with all jars of the broker."""
    return _once(f"kafka-{KAFKA_VERSION}", f"Apache Kafka {KAFKA_VERSION} (43 MB)", _fetch_kafka, say)


def registry_app(say: Say) -> Path:
    """Return the folder with `quarkus-run.jar` of the schema registry."""
    title = f"Apicurio Registry {REGISTRY_VERSION} (109 MB)"
    return _once(f"apicurio-registry-{REGISTRY_VERSION}", title, _fetch_registry, say)


def _once(name: str, title: str, fetch: Callable[[Path, Path], None], say: Say) -> Path:
    """Return the cache's folder `name`; `fetch(scratch folder, Maven cache)` creates it when it is missing.

    It is filled under a lock and renamed when complete, so that neither two commands at once nor a killed one leave
    half a folder under the final name.
    """
    cache = cache_folder()
    final = cache / name
    if final.exists():
        return final
    with locked(cache / f"{name}.lock", patience=900):
        if final.exists():
            return final
        scratch, maven = cache / f"{name}.partial", cache / f"{name}.maven"
        for leftover in (scratch, maven):  # left by a killed command
            shutil.rmtree(leftover, ignore_errors=True)
        scratch.mkdir()
        say(f"Downloading {title}, once …")
        try:
            fetch(scratch, maven)
        except Exception as error:  # jgo's errors have no common base class
            raise Unavailable(f"{title} could not be downloaded ({error}); check the network and try again.") from error
        scratch.rename(final)
        shutil.rmtree(maven, ignore_errors=True)
    return final


def _fetch_kafka(scratch: Path, maven: Path) -> None:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=maven, timeout=60)
    wanted = [context.create_dependency(coordinate) for coordinate in KAFKA_COORDINATES]
    direct, indirect = context.resolver.resolve(wanted)
    artifacts = [d.artifact for d in direct]
    artifacts += [d.artifact for d in indirect if d.scope in ("compile", "runtime")]
    with ThreadPoolExecutor(8) as pool:
        for jar in pool.map(lambda artifact: Path(artifact.resolve()), artifacts):
            shutil.copyfile(jar, scratch / jar.name)


def _fetch_registry(scratch: Path, maven: Path) -> None:
    from jgo.maven import MavenContext

    app = MavenContext(repo_cache=maven, timeout=60).project("io.apicurio", "apicurio-registry-app")
    archive = app.at_version(REGISTRY_VERSION).artifact(classifier="all", packaging="tar.gz").resolve()
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
