"""Fires timers when time passes: schedules ask and horizons close, in the order (due, customer, target)."""

from collections.abc import Container, Sequence

from streams.features.plan import FeaturePlan
from streams.scoring.pauses import Pauses
from streams.scoring.predicting import Questions
from streams.scoring.rejects import RejectWriter
from streams.scoring.working_set.agenda import FAR, Timer
from streams.scoring.working_set.cache import CustomerCache
from streams.scoring.working_set.customer import CustomerWork
from streams.scoring.working_set.partition import PartitionWork
from streams.state.store import ScoringStore
from streams.targets.observations import Observation
from streams.targets.plan import NEVER, TargetPlan
from streams.timeline import paused_time

SLICE = 1000
"""A slice ends after this many timers. The number is part of the outputs' identity (see `fire`) and not a setting."""
MOST_OUTPUTS = 10 * SLICE
"""A slice also ends after this many outputs: one customer may have a thousand observations to close at once."""
MOST_MISSED = 1000
"""The maximum number of questions, the latest ones, that a schedule asks when time leaps. Otherwise one event of the
year 1 would ask hundreds of thousands at the first tick."""


class Timers:
    """Fires the timers of a partition. `in_hand`: the customer in progress, for error reports."""

    def __init__(
        self,
        store: ScoringStore,
        cache: CustomerCache,
        features: FeaturePlan,
        targets: Sequence[TargetPlan],
        questions: Questions,
        rejects: RejectWriter,
        pauses: Pauses,
        poison: Container[tuple[int, int, str | None]],
        lateness: int,
    ) -> None:
        """`poison`: (partition, offset of the tick, customer) of timers that raise an error: they are skipped."""
        self._store = store
        self._cache = cache
        self._features = features
        self._targets = sorted(targets, key=lambda plan: plan.name)
        self._names = frozenset(plan.name for plan in targets)
        self._indexes = frozenset(plan.index for plan in targets)
        self._questions = questions
        self._rejects = rejects
        self._pauses = pauses
        self._poison = poison
        self._lateness = lateness
        self.in_hand: str | None = None

    def fire(self, work: PartitionWork) -> bool:
        """Fire up to SLICE timers that are due at the partition's last tick; return False when more are left.

        A slice that leaves some ends with an ordinal of its own, so that the position always advances. Timers and
        outputs are counted from the start of the tick, so that every run ends its slices at the same places."""
        until = work.header.last_tick
        assert until is not None
        full = work.ordinal + MOST_OUTPUTS
        for _ in range(SLICE):
            if work.ordinal >= full:
                break
            entry = self._next(work, until)
            if entry is None:
                self.in_hand = None
                return True
            due, _, customer_id = work.agenda.pop()
            self.in_hand = customer_id
            customer = self._cache.open(work, customer_id)
            customer.state_changed = True
            if work.header.pauses:  # its questions may get more time: then nothing fires now
                self._pauses.extend(work, customer, None)
            if (work.partition, work.offset, customer_id) in self._poison:
                self._skip(work, customer, due)
            else:
                self._fire(work, customer, due)
        self.in_hand = None
        if self._next(work, until) is None:
            return True
        work.pause()
        return False

    def _next(self, work: PartitionWork, until: int) -> Timer | None:
        """Return the first timer due by `until`, at the top of the agenda; None when there is none."""
        agenda = work.agenda
        agenda.refresh(self._lateness)
        while True:
            first = agenda.first(until)
            if agenda.must_read(until, first):
                self._read(work)
            elif first is None or first[2] in work.packed:
                return first
            else:
                self._cache.fetch([(work, agenda.due(until))])

    def _read(self, work: PartitionWork) -> None:
        """Read more stored timers into the agenda.

        Stored timers of this slice's customers may be out of date. One more is read for each of these customers, so
        that a read brings SLICE valid timers, or all that exist."""
        most = SLICE + len(work.customers)
        stored = self._store.due(work.partition, FAR, most, {work.partition: work.expected})
        work.agenda.take(stored, complete=len(stored) < most)

    def _fire(self, work: PartitionWork, customer: CustomerWork, due: int) -> None:
        """Fire everything that is due for a customer at one moment."""
        waiting = customer.observations.waiting
        closing = [o for o in waiting if o.end is not None and o.end + self._lateness < due]
        for plan in self._targets:
            for observation in closing:
                if observation.target == plan.name:
                    self._close(work, customer, plan, observation)
            self._ask(work, customer, plan, due)
        self._forget_removed_targets(customer, closing)
        early = customer.observations.early
        expired = sum(e.occurred_at + self._lateness < due for e in early)
        if expired:
            early[:] = [e for e in early if e.occurred_at + self._lateness >= due]
            work.count("unmatched", expired)
            customer.observations_changed = True
        settled = customer.observations.settled
        if any(s.until + self._lateness < due for s in settled):
            settled[:] = [s for s in settled if s.until + self._lateness >= due]
            customer.observations_changed = True

    def _forget_removed_targets(self, customer: CustomerWork, closing: Sequence[Observation]) -> None:
        """Remove timers and observations of targets that a former deployment declared: they would be due for ever."""
        for index in [i for i in customer.state.due if i not in self._indexes]:
            del customer.state.due[index]
        if any(o.target not in self._names for o in closing):
            waiting = customer.observations.waiting
            waiting[:] = [o for o in waiting if o not in closing or o.target in self._names]
            customer.observations_changed = True

    def _close(self, work: PartitionWork, customer: CustomerWork, plan: TargetPlan, observation: Observation) -> None:
        labelled = plan.label_on_close(observation)
        if labelled is None:
            waiting = customer.observations.waiting
            waiting[:] = [o for o in waiting if o is not observation]
            customer.observations_changed = True
            return
        label, outcome_at, settled_by = labelled
        self._questions.settle(work, customer, observation, label, outcome_at, settled_by)

    def _ask(self, work: PartitionWork, customer: CustomerWork, plan: TargetPlan, due: int) -> None:
        state, header = customer.state, work.header
        if state.due.get(plan.index, NEVER) > due:
            return
        idle = paused_time(header.pauses, state.clock, due) if header.pauses else 0
        if not plan.reschedule(state, customer.customer_id, due, idle):
            return
        tick = header.last_tick
        assert tick is not None
        if header.gap_from is not None and header.gap_from < due < tick:  # nobody was there to ask about
            work.count("unasked", 1 + plan.skip_missed(state, tick - 1, 0, idle))
            return
        work.count("unasked", plan.skip_missed(state, tick, MOST_MISSED, idle))
        clock = max(state.clock, due)
        vector = self._features.vector(state, clock)
        self._questions.ask(work, customer, plan, vector, clock, "schedule")

    def _skip(self, work: PartitionWork, customer: CustomerWork, due: int) -> None:
        """Drop the due timers of a failing customer, so that they block no other customer."""
        for index, moment in customer.state.due.items():
            if moment <= due:
                customer.state.due[index] = NEVER
        observations = customer.observations
        late = due - self._lateness
        observations.waiting[:] = [o for o in observations.waiting if o.end is None or o.end >= late]
        observations.early[:] = [e for e in observations.early if e.occurred_at >= late]
        customer.observations_changed = True
        self._rejects.failed_timer(work, customer.customer_id, work.header.last_tick or 0)
