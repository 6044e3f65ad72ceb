"""Asking: every arm answers one question with the version its partition has switched to."""

from collections.abc import Mapping
from math import isfinite

from schemas.topics import LABELLED_EXAMPLES, PREDICTIONS
from streams.codec import Codec
from streams.log import Output
from streams.models.arms import Model
from streams.models.serving import ServedModels
from streams.state.working import CustomerWork, PartitionWork
from streams.targets.observations import Answers, Observation, Settled, pack_vector
from streams.targets.plan import TargetPlan
from streams.targets.writing import Reasons, RecordWriter

CORRECTION = "correction"
"""How an example was settled whose question was settled otherwise before."""
REASONS = 3
"""Top contributions told with a prediction."""


class Questions:
    """Asks and settles: writes Prediction and LabelledExample records into a partition's work."""

    def __init__(
        self,
        codec: Codec,
        models: ServedModels,
        deployment_id: str,
        target_partitions: Mapping[str, int],
        correctable: Mapping[str, int],
    ) -> None:
        """`correctable`: per target that learns corrections, how long after the outcome one may come, in ms."""
        self._codec = codec
        self._models = models
        self._writer = RecordWriter(codec, deployment_id)
        self._target_partitions = target_partitions
        self._correctable = correctable

    def ask(
        self,
        work: PartitionWork,
        customer: CustomerWork,
        plan: TargetPlan,
        features: list[float],
        asked_at: int,
        asked_by: str,
    ) -> None:
        """One prediction with every arm's answer; open the observation where the target's share says so."""
        source = work.next_source()
        prediction_id = work.id_of(source)
        vector = plan.vector(features)
        packed = pack_vector(vector)
        answers, reasons = self._answers(work, plan, vector)
        observed = plan.observes(prediction_id)
        if observed and not customer.observations.has_room(plan.name):
            observed = False
            work.header.counters["unobserved"] += 1
        end = None if plan.horizon is None else asked_at + plan.horizon
        value = self._writer.prediction(
            prediction_id,
            plan.name,
            customer.customer_id,
            asked_at,
            asked_by,
            answers,
            plan.champion,
            packed,
            reasons,
            observed,
            end,
            source,
        )
        work.outputs.append(Output(PREDICTIONS, work.partition, customer.customer_id.encode(), value, source))
        work.header.counters["predictions"] += 1
        if observed:
            self._open(work, customer, Observation(plan.name, prediction_id, asked_at, end, packed, answers))

    def _open(self, work: PartitionWork, customer: CustomerWork, observation: Observation) -> None:
        customer.observations.waiting.append(observation)
        customer.observations_changed = True
        opened = work.header.opened
        opened[observation.target] = opened.get(observation.target, 0) + 1
        for early in customer.observations.early:
            if observation.is_named(early.target, early.prediction_id) and observation.spans(early.occurred_at):
                self.settle(work, customer, observation, early.value, early.occurred_at, "outcome")
                return

    def settle(
        self,
        work: PartitionWork,
        customer: CustomerWork,
        observation: Observation,
        label: float,
        outcome_at: int,
        settled_by: str,
    ) -> None:
        """Close the observation with its labelled example."""
        waiting, target = customer.observations.waiting, observation.target
        waiting[:] = [other for other in waiting if other is not observation]
        customer.observations_changed = True
        if target in self._correctable:
            until = outcome_at + self._correctable[target]
            customer.observations.keep_settled(Settled(observation, label, until))
        self._example(work, customer, observation, label, outcome_at, settled_by)
        work.header.settled[target] = work.header.settled.get(target, 0) + 1

    def correct(
        self, work: PartitionWork, customer: CustomerWork, settled: Settled, label: float, outcome_at: int
    ) -> None:
        """A later outcome of a settled question: one more example, if it says otherwise."""
        if label == settled.label or settled.observation.target not in self._correctable:
            return  # it says the same, or the definitions in force learn no corrections any more
        settled.label = label
        customer.observations_changed = True
        self._example(work, customer, settled.observation, label, outcome_at, CORRECTION)
        work.header.counters["corrections"] += 1

    def _example(
        self,
        work: PartitionWork,
        customer: CustomerWork,
        observation: Observation,
        label: float,
        outcome_at: int,
        settled_by: str,
    ) -> None:
        header, target = work.header, observation.target
        source = work.next_source()
        example_id = work.id_of(source)
        value = self._writer.example(
            example_id,
            customer.customer_id,
            observation,
            label,
            outcome_at,
            settled_by,
            header.last_example.get(target),
            source,
        )
        work.outputs.append(Output(LABELLED_EXAMPLES, self._target_partitions[target], target.encode(), value, source))
        header.last_example[target] = example_id
        header.counters["examples"] += 1

    def progress(self, work: PartitionWork, lateness: int) -> None:
        """Tell everyone downstream that this partition's time has passed."""
        header = work.header
        tick = header.last_tick
        assert tick is not None
        places = [(PREDICTIONS, work.partition)]
        places += [(LABELLED_EXAMPLES, p) for p in sorted(self._target_partitions.values())]
        for topic, partition in places:
            source = work.next_source()
            record = {
                "watermark": tick - lateness,
                "tick": tick,
                "opened": header.opened,
                "settled": header.settled,
                "source": source,
            }
            work.outputs.append(Output(topic, partition, None, self._codec.encode("tidecast.Progress", record), source))

    def _answers(self, work: PartitionWork, plan: TargetPlan, vector: list[float]) -> tuple[Answers, Reasons]:
        """Every arm's answer, and the reasons of the champion's where the version meant to serve gave it."""
        answers: Answers = []
        told: Reasons = ()
        for index in range(len(plan.arms)):
            answer, reasons = self._answer(work, plan, index, vector)
            answers.append(answer)
            if index == plan.champion:
                told = reasons
        return answers, told

    def _answer(
        self, work: PartitionWork, plan: TargetPlan, arm_index: int, vector: list[float]
    ) -> tuple[tuple[str, str, float, bool], Reasons]:
        """The arm's answer: by the version served, else the one before it, else untrained; always finite."""
        arm = plan.arms[arm_index].name
        serving = work.header.serving.get(plan.serving_keys[arm_index])
        fallback = False
        if serving is not None:
            explained = arm_index == plan.champion
            value, reasons = _told(self._models.loaded(serving.snapshot), vector, explained)
            if value is not None:
                return (arm, serving.version, value, False), reasons
            fallback = True
            if serving.previous is not None:
                version, snapshot, _ = serving.previous
                value, _ = _told(self._models.loaded(snapshot), vector)
                if value is not None:
                    return (arm, version, value, True), ()
        version, model = self._models.untrained(plan, arm_index)
        value, _ = _told(model, vector)
        return ((arm, version, 0.0, True) if value is None else (arm, version, value, fallback)), ()


def _told(model: Model, vector: list[float], explained: bool = False) -> tuple[float | None, Reasons]:
    """The model's answer, with its reasons if asked for; None when it fails or is not finite, whatever the reason: a
    bad version must not stop the stream, the caller falls back and says so."""
    try:
        answer, found = model.explain(vector, REASONS) if explained else (model.predict(vector), [])
        value = float(answer)
        reasons = [reason for reason in found if isfinite(reason[1])]
    except Exception:
        return None, ()
    return (value, reasons) if isfinite(value) else (None, ())
