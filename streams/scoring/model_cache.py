"""Caches the model versions that answer in this worker."""

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Self

from streams.errors import NoSnapshot
from streams.keys import Keys
from streams.models.declaration import Model
from streams.models.factory import build_model
from streams.models.inputs import ArmInputs
from streams.models.snapshot import BadSnapshot, Snapshot, load_snapshot
from streams.models.store import ModelStore
from streams.models.version import Version
from streams.targets.plan import TargetPlan
from streams.timeline import Serving

ROOM = 32 << 20
"""The maximum total size of the snapshots of the versions in memory, bytes."""


log = logging.getLogger(__name__)


class OtherInputs(Exception):
    """The model has learnt from other features than its arm reads."""


class RefusedModel(Model):
    """Stands in for a version that has learnt from other features than its arm reads. It never answers."""

    reads = ()

    def predict(self, vector: Sequence[float]) -> float:
        """Raise OtherInputs: the version before it, or the untrained model, answers, and the answer is marked."""
        raise OtherInputs

    def learn(self, vector: Sequence[float], label: float) -> None:
        """See Model. Scorers never learn."""

    def pack(self) -> list[Any]:
        """See Model. There is nothing to keep."""
        return []

    @classmethod
    def unpack(cls, state: list[Any]) -> Self:
        """See Model."""
        return cls()


class ServedModels:
    """Loads the snapshots that switches name, and evicts the least recently used."""

    def __init__(
        self,
        store: ModelStore,
        keys: Keys,
        inputs: Mapping[tuple[str, str], ArmInputs],
        limit: int = 256,
        room: int = ROOM,
    ) -> None:
        """keys: the signing keys of the snapshots. inputs: what each arm reads, by (target, arm).
        limit: maximum number of versions in memory. room: maximum total size of their snapshots, bytes. A loaded model
        takes several times the size of its snapshot."""
        self._store = store
        self._keys = keys
        self._inputs = inputs
        self._limit = limit
        self._room = room
        self._sizes: dict[str, int] = {}
        self._models: dict[str, Model] = {}
        self._untrained: dict[tuple[str, str], tuple[str, Model]] = {}

    def prepare(self, serving: Serving) -> None:
        """Load the version and its predecessor.

        Raises Unavailable (NoSnapshot) while a snapshot cannot be read. The scorer then waits, because another version
        would not be the one that the log names. A version that has learnt from other features than its arm reads is
        refused: `loaded` returns a model that gives no answers."""
        self._load(serving.snapshot, serving.digest)
        if serving.previous is not None:
            self._load(serving.previous[1], serving.previous[2])

    def loaded(self, snapshot: str) -> Model:
        """Return a loaded version."""
        return self._models[snapshot]

    def untrained(self, plan: TargetPlan, arm_index: int) -> tuple[str, Model]:
        """Return (version, model) of an arm that has learnt nothing."""
        arm = plan.arms[arm_index]
        at = (plan.name, arm.name)
        if at not in self._untrained:
            model = build_model(arm, plan.name, plan.kind, plan.names, 1)
            self._untrained[at] = (str(Version(plan.name, arm.name, 1, -1)), model.frozen())
        return self._untrained[at]

    def trim(self) -> None:
        """Evict the least recently used versions. Call it between slices."""
        bytes_kept = sum(self._sizes.values())
        for snapshot in list(self._models):
            if len(self._models) <= self._limit and bytes_kept <= self._room:
                return
            del self._models[snapshot]
            bytes_kept -= self._sizes.pop(snapshot)

    def _load(self, snapshot: str, digest: bytes) -> None:
        if snapshot in self._models:
            self._models[snapshot] = self._models.pop(snapshot)
            return
        try:
            blob = self._store.get(snapshot)
        except BadSnapshot as error:
            raise NoSnapshot(f"snapshot {snapshot!r}: {error}") from error
        except KeyError:
            raise NoSnapshot(
                f"the model store has no snapshot {snapshot!r} yet: check that workers share one model store"
            ) from None
        if sha256(blob).digest() != digest:
            raise NoSnapshot(
                f"snapshot {snapshot!r} is not the one that the switch names: stop the learners and run `tidecast "
                "rebuild learning`, which makes it again"
            )
        try:
            loaded = load_snapshot(blob, self._keys)
        except BadSnapshot as error:
            raise NoSnapshot(f"snapshot {snapshot!r}: {error}") from error
        model = loaded.model
        if model is None:
            raise NoSnapshot(f"snapshot {snapshot!r} holds no model although a switch names it: roll back to another")
        self._models[snapshot] = self._fitted(loaded, model).frozen()
        self._sizes[snapshot] = len(blob)

    def _fitted(self, snapshot: Snapshot, model: Model) -> Model:
        """Return the model over the present vectors, or one that stands in for it because it must not answer."""
        inputs = self._inputs.get((snapshot.version.target, snapshot.version.arm))
        if inputs is None:
            return model  # the arm is no longer declared: nobody asks it
        obstacle = inputs.obstacle(str(snapshot.version), model.reads, snapshot.inputs)
        if obstacle:
            log.error(obstacle)
            return RefusedModel()
        model.bind(inputs.vector)
        return model
