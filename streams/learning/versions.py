"""The versions of one arm in the model store: finds them at start, writes snapshots, checks them before they serve."""

import logging
from collections.abc import Iterable
from hashlib import sha256
from math import isfinite, nan

from streams.errors import DeploymentMismatch, Unavailable
from streams.keys import Keys
from streams.models.declaration import Model
from streams.models.inputs import ArmInputs
from streams.models.snapshot import BadSnapshot, Served, Snapshot, dump_snapshot, load_snapshot, sealed_with
from streams.models.store import ModelStore
from streams.models.version import Version

log = logging.getLogger(__name__)


class Versions:
    """Snapshots at the paths that the log determines, sealed with the signing key."""

    def __init__(self, models: ModelStore, keys: Keys, limit: int) -> None:
        """`keys`: its signer seals; change it where the log does. `limit`: maximum size of a snapshot, bytes."""
        self._models = models
        self.keys = keys
        self._limit = limit

    def newest(self, arm: Version, inputs: ArmInputs, former: str) -> Snapshot | None:
        """Return the greatest readable snapshot of the arm, and what it serves; None when there is none.

        inputs: what the arm reads now. former: how snapshots of former releases begin to say what is declared now.
        Raises BadSnapshot when there are snapshots and none is readable, and DeploymentMismatch when the arm was
        declared otherwise, or read other features."""
        paths = self._models.list(arm.folder)
        for path in reversed(paths):
            try:
                snapshot = self._load(path)
            except (BadSnapshot, KeyError) as error:
                log.warning("Snapshot %s cannot be read; the one before it is used: %s", path, error)
                continue
            if snapshot.declared != inputs.declared and not snapshot.declared.startswith(former):
                raise DeploymentMismatch(
                    f"Arm {arm.arm!r} of target {arm.target!r} was declared otherwise when it learnt "
                    f"{snapshot.version}; give the changed arm a new name, so that it starts untrained."
                )
            reads = inputs.reads if snapshot.model is None else snapshot.model.reads
            if obstacle := inputs.obstacle(str(snapshot.version), reads, snapshot.inputs):
                raise DeploymentMismatch(obstacle)
            return _bound(snapshot, inputs)
        if paths:
            raise BadSnapshot(
                f"None of the {len(paths)} snapshots under {arm.folder} can be read; set the signing key they were "
                "sealed with, or delete them to learn again from the start of the log."
            )
        return None

    def _load(self, path: str) -> Snapshot:
        """Return the snapshot, and what serves: itself, or the last good one if it failed. Its key signs from here on:
        the log is read on from there, and says where another one does."""
        blob = self._models.get(path)
        snapshot = load_snapshot(blob, self.keys, self._limit)
        if snapshot.version.path != path:
            raise BadSnapshot(f"It is the snapshot of {snapshot.version}; put every snapshot back at its own path.")
        if self.keys:
            self.keys = self.keys.signing_with(sealed_with(blob))
        if snapshot.model is not None:
            snapshot.served = _serving(snapshot, blob)
        return snapshot

    def has(self, path: str) -> bool:
        """Return whether the snapshot is in the model store."""
        return self._models.has(path)

    def sealed(self, state: Snapshot) -> bytes:
        """Return the bytes of a snapshot. Raises BadSnapshot when there are too many."""
        return dump_snapshot(state, self.keys, self._limit)

    def loaded(self, blob: bytes) -> Snapshot:
        """Return the snapshot that a restart loads from these bytes. It serves itself."""
        snapshot = load_snapshot(blob, self.keys, self._limit)
        snapshot.served = _serving(snapshot, blob)
        return snapshot

    def put(self, path: str, blob: bytes) -> None:
        """Write a snapshot and read it back. Raises Unavailable when other bytes come back."""
        self._models.put(path, blob)
        if self._models.get(path) != blob:
            raise Unavailable(f"The model store gave back other bytes for {path} than were written; check its disk.")


def _bound(snapshot: Snapshot, inputs: ArmInputs) -> Snapshot:
    """Return the snapshot with the columns of the present vectors."""
    if snapshot.model is not None:
        snapshot.model.bind(inputs.vector)
    snapshot.declared, snapshot.inputs = inputs.declared, inputs.digest
    return snapshot


def _serving(snapshot: Snapshot, blob: bytes) -> Served:
    return Served(snapshot.version.path, sha256(blob).digest(), snapshot.version.offset, snapshot.command)


def unfit(model: Model, width: int, probes: Iterable[list[float]]) -> str:
    """Return why a candidate must not serve; "" when its answers to zeros, unknowns and the probes are finite."""
    for vector in ([0.0] * width, [nan] * width, *probes):
        try:
            value = model.predict(vector)
        except Exception as error:
            return f"answering a probe raised {type(error).__name__}: {error}"
        if not isfinite(value):
            return f"it answers a probe with {value}"
    return ""
