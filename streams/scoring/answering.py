"""Answers one question: from the features to the Prediction record."""

from schemas.topics import PREDICTIONS
from streams.avro.codec import Codec
from streams.kernels import kernel
from streams.scoring.record_writer import RecordWriter
from streams.scoring.serving_set import ArmServing, answer
from streams.scoring.working_set.partition import PartitionWork
from streams.targets.observations import Answers, pack_vector
from streams.targets.plan import TargetPlan

Asked = tuple[str, bytes, Answers, bool]
"""Prediction id, packed vector, answers, and whether the question is chosen to be observed."""


class PureAsker:
    """Answers the questions of one deployment. Raises Unavailable if the registry is away at first use."""

    def __init__(self, codec: Codec, deployment_id: str) -> None:
        self._writer = RecordWriter(codec, deployment_id)

    def ask(
        self,
        work: PartitionWork,
        customer_id: str,
        plan: TargetPlan,
        serving_set: list[ArmServing],
        features: list[float],
        asked_at: int,
        asked_by: str,
        room: bool,
    ) -> Asked:
        """Emit the prediction into `work`.

        asked_at: ms. room: whether the customer may have another open observation."""
        source = work.next_source()
        prediction_id = work.id_of(source)
        vector = plan.vector(features)
        packed = pack_vector(vector)
        answers: Answers = []
        reasons: list[tuple[str, float]] = []
        for arm_serving in serving_set:
            found, told = answer(arm_serving, vector)
            answers.append(found)
            reasons.extend(told)
        chosen = plan.observes(prediction_id)
        value = self._writer.prediction(
            prediction_id,
            plan.name,
            customer_id,
            asked_at,
            asked_by,
            answers,
            plan.champion,
            packed,
            reasons,
            chosen and room,
            None if plan.horizon is None else asked_at + plan.horizon,
            source,
        )
        work.emit(PREDICTIONS, work.partition, customer_id.encode(), value, source)
        return prediction_id, packed, answers, chosen


_KERNEL = kernel("answering")
Asker: type[PureAsker] = _KERNEL.Asker if _KERNEL else PureAsker
"""The implementation in use: the kernel if there is one."""
