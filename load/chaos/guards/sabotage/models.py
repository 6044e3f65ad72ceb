"""Guards of the learner and the model store."""

import os
from functools import partial
from threading import local
from typing import Any

from .patch import Guard, Patch, hit

LEARNING, MODEL_STORE = "streams.learning.stage", "sinks.model_store"
_delayed = local()


def _put_later(put: Any) -> Any:
    def later(self: Any, path: str, blob: bytes) -> None:
        _delayed.puts = [*getattr(_delayed, "puts", []), partial(put, self, path, blob)]

    return later


def _put_at_commit(commit: Any) -> Any:
    def put_and_commit(self: Any) -> None:
        puts, _delayed.puts = getattr(_delayed, "puts", []), []
        for put in puts:
            put()
        commit(self)

    return put_and_commit


def write_in_place(_: Any) -> Any:
    """Replace the atomic write of a file by one that a kill can interrupt halfway."""

    def write(place: str, blob: bytes) -> None:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(blob[: len(blob) // 2])
            file.flush()
            hit("snapshot.begun")
            file.write(blob[len(blob) // 2 :])

    return write


def _resume_silently(resume: Any) -> Any:
    def resumed(self: Any) -> None:
        resume(self)
        self._resend = False

    return resumed


def _keep_the_saved_object(save: Any) -> Any:
    def saved(self: Any) -> None:
        model = self._state.model
        save(self)
        if self._state.model is not None:
            self._state.model = model

    return saved


def _no_obstacle(_: Any) -> Any:
    return lambda *arguments: ""


GUARDS = {
    "input-names": Guard(
        "A version answers and learns only where its arm reads the features that it has learnt from.",
        "definitions with other features under the same arm, which no fault of a run has: tests/replay/test_inputs.py",
        (Patch("streams.models.inputs", "ArmInputs.obstacle", _no_obstacle),),
    ),
    "snapshot-before-switch": Guard(
        "A switch is sent after its snapshot is in the store.",
        "learning.acked kill and no learner for a while: scorers stand still until it writes the same bytes",
        (
            Patch("streams.learning.versions", "Versions.put", _put_later),
            Patch(LEARNING, "LearningSlice.commit", _put_at_commit),
        ),
    ),
    "atomic-snapshot": Guard(
        "A snapshot is in the store as a whole or not at all.",
        "learning.snapshot.begun kill at an arm's first version: none can be read, the learner ends with an error",
        (Patch(MODEL_STORE, "_write_durably", write_in_place),),
    ),
    "learner-resend": Guard(
        "A version in the store is served even if its switch was not sent before a crash.",
        "learning.snapshot.put or produce.partly kill: some partitions answer with the version before",
        (Patch(LEARNING, "Learning._resume", _resume_silently),),
    ),
    "loaded-copy": Guard(
        "The learner continues from the loaded snapshot, so a restart changes no bit.",
        "learning killed; visible only for models that differ after loading",
        (Patch(LEARNING, "Learning._save", _keep_the_saved_object),),
    ),
}
