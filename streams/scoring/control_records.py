"""Applies the control records of customer-events: deployments, switches, ticks."""

from collections.abc import Mapping

from schemas.records import SwitchRecord, TickRecord
from streams.deployment_gate import DeploymentGate
from streams.errors import DeadReason, Undecodable
from streams.log import LogRecord
from streams.models.inputs import ArmInputs
from streams.models.version import Version
from streams.scoring.intake import Taken
from streams.scoring.model_cache import ServedModels
from streams.scoring.pauses import Pauses
from streams.scoring.predicting import Questions
from streams.scoring.timers import Timers
from streams.scoring.working_set.partition import PartitionWork
from streams.timeline import Serving


class ControlRecords:
    """Applies control records whose signature was checked. Every method returns whether the record is done."""

    def __init__(
        self,
        gate: DeploymentGate,
        inputs: Mapping[tuple[str, str], ArmInputs],
        models: ServedModels,
        questions: Questions,
        timers: Timers,
        pauses: Pauses,
        lateness: int,
        retained: bytes,
    ) -> None:
        """inputs: what each declared arm reads, by (target, arm). lateness: the allowed lateness, ms. retained: what
        states of the features keep."""
        self._gate = gate
        self._inputs = inputs
        self._models = models
        self._questions = questions
        self._timers = timers
        self._pauses = pauses
        self._lateness = lateness
        self._retained = retained

    def deployment(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Apply a deployment; ignore a repeated one. Raises DeploymentMismatch for definitions other than this
        worker's."""
        work.count("controls")
        self._gate.obey(work.header, taken.record, work.place, raw.offset)
        work.header.retained = work.header.retained or self._retained
        return True

    def switch(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Apply a switch: from here on an arm answers with the named version. An older switch is ignored.

        Raises Undecodable when the target or arm is not declared, or the version has learnt from other features than
        the arm reads. Raises Unavailable while the snapshot cannot be read."""
        header = work.header
        record: SwitchRecord = taken.record
        arm = f"{record['target']}/{record['arm']}"
        inputs = self._inputs.get((record["target"], record["arm"]))
        if inputs is None:
            raise Undecodable(DeadReason.BAD_CONTROL, f"a switch names {arm}, which this deployment does not declare")
        if not _names_its_own(record):
            raise Undecodable(DeadReason.BAD_CONTROL, f"a switch of {arm} names a version or snapshot of another arm")
        if record["inputs"] not in (None, inputs.digest):
            raise Undecodable(
                DeadReason.BAD_CONTROL,
                f"a switch names {record['version']}, which has learnt from other features than its arm reads: end the "
                "learner of other definitions that wrote it",
            )
        old = header.serving.get(arm)
        if old is None or (record["command"], record["offset"]) > (old.command, old.offset):
            new = Serving(
                record["version"],
                record["command"],
                record["offset"],
                record["snapshot"],
                record["digest"],
                -1 if header.last_tick is None else header.last_tick,
                None if old is None else (old.version, old.snapshot, old.digest),
            )
            self._models.prepare(new)
            header.serving[arm] = new
            work.forget_serving_sets()
        work.count("controls")
        return True

    def pause(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Stop the partition's time, or let it go on."""
        work.count("controls")
        self._pauses.obey(work.header, taken.record)
        return True

    def tick(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Apply a tick: fire the timers that are due.

        Returns False when more timers are due than one slice fires. The next slice continues within the same record."""
        header = work.header
        record: TickRecord = taken.record
        goes_on = work.ordinal > 0
        if not goes_on:
            work.count("controls")
            if header.is_paused or (header.last_tick is not None and record["time"] <= header.last_tick):
                return True
            self._pauses.passes(header, record)
            header.last_tick = record["time"]
        if not self._timers.fire(work):
            return False
        header.gap_from = None
        self._questions.progress(work, self._lateness)
        return True


def _names_its_own(switch: SwitchRecord) -> bool:
    """Return whether version, offset and snapshot of a switch belong to its target and arm, and to each other."""
    try:
        version = Version.parse(switch["version"])
    except ValueError:
        return False
    named = (version.target, version.arm, version.offset, version.path)
    return named == (switch["target"], switch["arm"], switch["offset"], switch["snapshot"])
