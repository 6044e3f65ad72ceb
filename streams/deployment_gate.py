"""The gate that all stages share: records under the stage's own definitions pass; at others it stops."""

from typing import Protocol

from schemas.records import DeploymentRecord
from streams.deployment import is_replayed, number_of
from streams.errors import DeploymentMismatch
from streams.log import TopicPartition


class InForce(Protocol):
    """A stage's state of one partition. deployment_id: of the last deployment record obeyed, "" before the first.
    deployment_number: of the same record, 0 before the first."""

    deployment_id: str
    deployment_number: int


class DeploymentGate:
    """Compares the deployment in force in a log with `ours`, that of the stage's own definitions."""

    def __init__(self, ours: str, waits: bool = False) -> None:
        """`waits`: skip deployments before ours. Otherwise the first record that names another one stops the stage."""
        self.ours = ours
        self._waits = waits

    def obey(self, state: InForce, record: DeploymentRecord, place: TopicPartition, offset: int) -> bool:
        """Store a deployment record in `state`. Return False for a repeated one, which changes nothing.

        Raises DeploymentMismatch for another deployment if ours was in force or `waits` is False; `state` then stays
        unchanged."""
        if is_replayed(record, state.deployment_number):
            return False
        theirs = record["deployment_id"]
        if theirs != self.ours and (state.deployment_id == self.ours or not self._waits):
            raise self.mismatch(theirs, place, offset)
        state.deployment_id = theirs
        state.deployment_number = number_of(record)
        return True

    def mismatch(self, theirs: str, place: TopicPartition, offset: int) -> DeploymentMismatch:
        """Return the error for a record under the deployment `theirs`; "" for none. The caller compares, for speed."""
        where = f"{place.topic}[{place.partition}]"
        if not theirs:
            return DeploymentMismatch(
                f"{where} has records before the first deployment of this log (at offset {offset}): "
                "run `tidecast deploy`"
            )
        return DeploymentMismatch(
            f"{where} is at deployment {theirs} (at offset {offset}), this worker has {self.ours}: "
            f"start a worker with the definitions of {theirs}"
        )
