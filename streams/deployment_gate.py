"""The gate that all stages share: records under the stage's own definitions pass; at later ones it stops."""

from typing import Protocol

from schemas.records import DeploymentRecord
from streams.deployment import Deployment, is_replayed, number_of
from streams.errors import DeploymentMismatch, KeyMissing
from streams.keys import Keys
from streams.log import TopicPartition

NO_KEYS = Keys()


class InForce(Protocol):
    """A stage's state of one partition. deployment_id: of the last deployment record obeyed, "" before the first.
    deployment_number: of the same record, 0 before the first."""

    deployment_id: str
    deployment_number: int


class DeploymentGate:
    """Compares the deployment in force at a place of a log with that of the stage's own definitions.

    ours: id of the latter. Records under a former deployment pass: a stage that was stopped before it had processed
    them goes on from there, under its own definitions. `deploy` has refused definitions that lose anything by it."""

    def __init__(self, deployment: Deployment, keys: Keys = NO_KEYS) -> None:
        """`keys`: those of this process; it ends where the log goes on with others."""
        self.ours = deployment.deployment_id
        self._former = frozenset(deployment.former)
        self._number = deployment.number
        self._exclusive = deployment.exclusive
        self._keys = keys

    def obey(self, state: InForce, record: DeploymentRecord, place: TopicPartition, offset: int) -> bool:
        """Store a deployment record in `state`. Return False for a repeated one, which changes nothing.

        Raises DeploymentMismatch for another deployment that is none of the former ones, and KeyMissing where the log
        goes on with keys that this process lacks; `state` then stays unchanged."""
        if is_replayed(record, state.deployment_number):
            return False
        try:
            self._keys.in_force(record["keys"])
        except KeyMissing as missing:
            raise KeyMissing(f"From offset {offset} of {place.topic}[{place.partition}] on {missing}.") from None
        theirs, number = record["deployment_id"], number_of(record)
        if not self._knows(theirs, number):
            raise self.mismatch(theirs, place, offset)
        state.deployment_id = theirs
        state.deployment_number = number
        return True

    def check(self, state: InForce, place: TopicPartition, offset: int) -> None:
        """Raise DeploymentMismatch for a record that lies under a deployment whose records are not processed."""
        if not self.passes(state.deployment_id, state.deployment_number):
            raise self.mismatch(state.deployment_id, place, offset)

    def passes(self, theirs: str, number: int = 0) -> bool:
        """Return whether records under this deployment are processed: our own, or a former one.

        number: of the deployment, 0 if unknown. It tells former ones from before their ids were recorded."""
        return theirs == self.ours or (not self._exclusive and self._knows(theirs, number))

    def _knows(self, theirs: str, number: int) -> bool:
        return theirs == self.ours or theirs in self._former or 0 < number < self._number

    def mismatch(self, theirs: str, place: TopicPartition, offset: int) -> DeploymentMismatch:
        """Return the error for a record under the deployment `theirs`; "" for none. The caller compares, for speed."""
        where = f"{place.topic}[{place.partition}]"
        if not theirs:
            return DeploymentMismatch(
                f"{where} has records before the first deployment of this log (at offset {offset}): its beginning was "
                "deleted, or somebody wrote to it before `tidecast deploy`, or TIDECAST_SIGNING_KEYS lacks the retired "
                "key of its first deployment. Add that key; else deploy into new topics, with another "
                "TIDECAST_TOPIC_PREFIX, and publish there"
            )
        return DeploymentMismatch(
            f"{where} is at deployment {theirs} (at offset {offset}), this worker has {self.ours}: "
            f"start a worker with the definitions of {theirs}"
        )
