"""Processes events and outcomes, the records that customers cause.

`event` decides whether an event is a duplicate or late; `outcome` finds the questions that an outcome answers. A
record is a duplicate when its kind, id and content were there before. With another content it is a dead letter."""

from collections.abc import Sequence

from schemas.catalog import Event
from schemas.records import OutcomeRecord
from streams.errors import DeadReason, Undecodable
from streams.features.customer_state import CustomerState
from streams.features.plan import FeaturePlan
from streams.log import LogRecord
from streams.scoring.intake import Intake, Taken, check_outcome, former_digest
from streams.scoring.pauses import Pauses
from streams.scoring.predicting import Questions
from streams.scoring.rejects import RejectWriter
from streams.scoring.working_set.cache import CustomerCache
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.targets.observations import EarlyOutcome
from streams.targets.plan import TargetPlan


class CustomerRecords:
    """Works on checked events and outcomes. Raises Undecodable for what only the customer's state shows to be wrong."""

    def __init__(
        self,
        cache: CustomerCache,
        intake: Intake,
        features: FeaturePlan,
        targets: Sequence[TargetPlan],
        questions: Questions,
        rejects: RejectWriter,
        pauses: Pauses,
        lateness: int,
    ) -> None:
        """`lateness`: the allowed lateness, ms."""
        self._cache = cache
        self._intake = intake
        self._features = features
        self._targets = targets
        self._kinds: dict[str, str] = {plan.name: plan.kind for plan in targets}
        self._questions = questions
        self._rejects = rejects
        self._pauses = pauses
        self._lateness = lateness

    def event(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Accept an event, or count it as a duplicate or as late. The record is always done."""
        record: Event = taken.record
        customer = self._customer(work, record["customer_id"])
        state, moment = customer.state, record["occurred_at"]
        seen = self._intake.digest(raw, taken, record["event_id"])
        same = state.digests.same_content(seen)
        if (same is not None or state.digests.former) and _repeated(work, state, taken, same, record["event_id"]):
            return True
        watermark = work.header.watermark(self._lateness)
        if watermark is not None and moment < watermark:
            self._rejects.late(work, raw, taken, watermark)
            work.count("late")
            return True
        if work.header.pauses:
            self._pauses.extend(work, customer, moment)
        self._resolve(work, customer, taken.event, record)
        state.digests.remember(seen)
        self._features.update(state, taken.event, record, moment)
        customer.state_changed = True
        features = None
        for plan in self._targets:
            plan.schedule(state, customer.customer_id, taken.event)
            if taken.event in plan.on:
                if features is None:
                    features = self._features.vector(state, state.clock)
                self._questions.ask(work, customer, plan, features, state.clock, taken.event)
        work.count("accepted")
        return True

    def outcome(self, work: PartitionWork, raw: LogRecord, taken: Taken) -> bool:
        """Settle or correct what an outcome answers, or keep it for a question to come. The record is always done."""
        record: OutcomeRecord = taken.record
        check_outcome(self._kinds, record)
        customer = self._customer(work, record["customer_id"])
        seen = self._intake.digest(raw, taken, record["outcome_id"])
        same = customer.state.digests.same_content(seen)
        if _repeated(work, customer.state, taken, same, record["outcome_id"]):
            return True
        target, wanted, moment = record["target"], record["prediction_id"], record["occurred_at"]
        if work.header.pauses:
            self._pauses.extend(work, customer, moment)
        named = [o for o in customer.observations.waiting if o.is_named(target, wanted) and o.spans(moment)]
        watermark = work.header.watermark(self._lateness)
        settled = None if named else customer.observations.settled_as(target, wanted, moment)
        early = not named and settled is None and (watermark is None or moment > watermark)
        if early:
            customer.observations.check_room_for_early()
        customer.state.digests.remember(seen)
        customer.state_changed = True
        work.count("accepted")
        for observation in named:
            self._questions.settle(work, customer, observation, record["value"], moment, "outcome")
        if settled is not None:
            self._questions.correct(work, customer, settled, record["value"], moment)
        elif early:
            customer.observations.early.append(EarlyOutcome(target, wanted, moment, record["value"]))
            customer.observations_changed = True
        elif not named:
            work.count("unmatched")
        return True

    def _customer(self, work: PartitionWork, customer_id: str) -> CustomerWork:
        """Return the customer. One never seen here must belong to this partition."""
        customer = self._cache.open(work, customer_id)
        if not customer.known:
            self._intake.check_partition(customer_id, work.partition)
            customer.known = True
        return customer

    def _resolve(self, work: PartitionWork, customer: CustomerWork, event: str, record: Event) -> None:
        """Settle or add to the older observations that this event concerns."""
        waiting = customer.observations.waiting
        plans = {plan.name: plan for plan in self._targets if plan.concerns(event, record)} if waiting else {}
        if not plans:
            return
        moment = record["occurred_at"]
        for observation in list(waiting):
            plan = plans.get(observation.target)
            if plan is None or not plan.take_event(record, moment, observation):
                continue
            customer.observations_changed = True
            label = plan.label_at_once
            if label is not None:
                self._questions.settle(work, customer, observation, label, moment, "event")


def _repeated(work: PartitionWork, state: CustomerState, taken: Taken, same: bool | None, id: str) -> bool:
    """Return whether a record was there before, and count it as a duplicate.

    same: Digests.same_content. Raises Undecodable when the id was there with another content."""
    if same is None:
        if not state.digests.formerly_seen(former_digest(id)):
            return False
    elif not same:
        work.count("conflicts")
        short = taken.name.rpartition(".")[2]
        raise Undecodable(
            DeadReason.CONFLICTING_ID,
            f"this customer has another {short} with the id {id[:100]!r} and other contents, which stays in force: "
            "publish this one again under an id of its own",
        )
    work.count("duplicate")
    return True
