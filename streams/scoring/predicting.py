"""Asks and settles: every arm answers a question with the version that its partition has switched to."""

from collections.abc import Mapping

from schemas.records import PROGRESS, ProgressRecord
from schemas.topics import LABELLED_EXAMPLES, PREDICTIONS
from streams.avro.codec import Codec
from streams.scoring.answering import Asker
from streams.scoring.model_cache import ServedModels
from streams.scoring.record_writer import RecordWriter
from streams.scoring.serving_set import serving_set
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.targets.observations import CORRECTION, Observation, Settled
from streams.targets.plan import TargetPlan

PROGRESS_MS = 1_000
"""The minimum tick time between two progress records, ms. Ticks may be finer than downstream needs."""


class Questions:
    """Emits Prediction and LabelledExample records into a partition's work."""

    def __init__(
        self,
        codec: Codec,
        models: ServedModels,
        deployment_id: str,
        target_partitions: Mapping[str, int],
        correctable: Mapping[str, int],
    ) -> None:
        """`correctable`: target that learns corrections → how long after the outcome one may arrive, ms."""
        self._codec = codec
        self._models = models
        self._asker = Asker(codec, deployment_id)
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
        """Emit a prediction with every arm's answer; open an observation for the target's share of the questions."""
        arms = work.serving_sets.get(plan.index)
        if arms is None:
            arms = serving_set(plan, work.header.serving, self._models, work.answers)
            work.serving_sets[plan.index] = arms
        room = customer.observations.has_room(plan.name)
        prediction_id, packed, answers, chosen = self._asker.ask(
            work, customer.customer_id, plan, arms, features, asked_at, asked_by, room
        )
        work.count("predictions")
        asked = work.answers.asked
        asked[plan.name] = asked.get(plan.name, 0) + 1
        if chosen and room:
            end = None if plan.horizon is None else asked_at + plan.horizon
            self._open(work, customer, Observation(plan.name, prediction_id, asked_at, end, packed, answers))
        elif chosen:
            work.count("unobserved")

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
        """Close the observation and emit its labelled example."""
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
        """Take a later outcome of a settled question: emit one more example if the outcome differs."""
        if label == settled.label or settled.observation.target not in self._correctable:
            return  # it is the same, or the definitions in force no longer learn corrections
        settled.label = label
        customer.observations_changed = True
        self._example(work, customer, settled.observation, label, outcome_at, CORRECTION)
        work.count("corrections")

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
        work.emit(LABELLED_EXAMPLES, self._target_partitions[target], target.encode(), value, source)
        header.last_example[target] = example_id
        work.count("examples")

    def progress(self, work: PartitionWork, lateness: int) -> None:
        """Emit progress records to all downstream partitions, at the first tick in each second of tick time."""
        header = work.header
        tick, told = header.last_tick, header.told_tick
        assert tick is not None
        if told is not None and told // PROGRESS_MS == tick // PROGRESS_MS:
            return
        header.told_tick = tick
        places = [(PREDICTIONS, work.partition)]
        places += [(LABELLED_EXAMPLES, p) for p in sorted(self._target_partitions.values())]
        for topic, partition in places:
            source = work.next_source()
            record: ProgressRecord = {
                "watermark": tick - lateness,
                "tick": tick,
                "opened": header.opened,
                "settled": header.settled,
                "source": source,
            }
            work.emit(topic, partition, None, self._codec.encode(PROGRESS, record), source)
