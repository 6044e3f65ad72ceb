"""Gathers from the topics what has been seen so far: quality by cohort, alerts, counts. Pure.

Quality is measured on cohorts: questions asked within COHORT days, judged when their horizon is over, so that every
question has its label. In the order in which labels arrive, customers who leave are known before those who stay."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas import records
from schemas.catalog import Decoded

DAY_MS = 86_400_000
COHORT = 10
"""Days of questions that form a cohort."""
LATEST = 8
"""Predictions that the view can show."""


class Alert(NamedTuple):
    """An alert that opened: the simulated day, and the record."""

    day: float
    record: records.DriftAlertRecord


@dataclass(slots=True)
class Answers:
    """The matured questions of a target of one day: labels, and each arm's answers in the same order."""

    labels: list[float] = field(default_factory=list)
    arms: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The simulation: event time of day 0 (ms), number of days, first day of the campaign, and per target its
    horizon in days and whether it is binary."""

    start_ms: int
    days: int
    campaign_day: int
    horizons: Mapping[str, int]
    binary: Mapping[str, bool]

    def day_of(self, time_ms: int) -> float:
        """Return the simulated day of an event time."""
        return (time_ms - self.start_ms) / DAY_MS


class Story:
    """Takes decoded records and keeps what the view and the summary show."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.latest: deque[records.PredictionRecord] = deque(maxlen=LATEST)
        self.alerts: list[Alert] = []
        self.closed: set[str] = set()
        self.recent: dict[tuple[str, str], Mapping[str, float]] = {}
        self.curve: dict[int, float] = {}
        """Champion's AUC on churn per last day of the cohort."""
        self._answers: dict[tuple[str, int], Answers] = {}
        self._seen: set[str] = set()

    def take(self, name: str | None, record: Decoded, today: float) -> None:
        """Take a record of predictions, labelled-examples, model-metrics or drift-alerts; `today`: the day reached."""
        match name:
            case records.PREDICTION:
                self.counts["predictions"] += 1
                self.latest.append(record)
            case records.LABELLED_EXAMPLE:
                self._example(record)
            case records.MODEL_METRIC:
                self._metric(record)
            case records.DRIFT_ALERT:
                self._alert(record, today)

    def _metric(self, record: records.ModelMetricRecord) -> None:
        if record["span"] == "recent":
            self.recent[record["target"], record["arm"]] = record["values"]

    def _example(self, record: records.LabelledExampleRecord) -> None:
        self.counts["examples"] += 1
        day = int(self.plan.day_of(record["asked_at"]))
        answers = self._answers.setdefault((record["target"], day), Answers())
        answers.labels.append(record["label"])
        for answer in record["answers"]:
            answers.arms.setdefault(answer["arm"], []).append(answer["value"])

    def _alert(self, record: records.DriftAlertRecord, today: float) -> None:
        if record["state"] == "closed":
            self.closed.add(record["alert_id"])
        elif record["alert_id"] not in self._seen:
            self._seen.add(record["alert_id"])
            self.alerts.append(Alert(today, record))

    # -- quality

    def quality(self, target: str, last_day: int) -> dict[str, float]:
        """Return, per arm, AUC (binary) or mean absolute error of the cohort asked in the COHORT days before
        `last_day`. Empty when nothing was asked."""
        days = [self._answers.get((target, day)) for day in range(last_day - COHORT, last_day)]
        kept = [answers for answers in days if answers is not None]
        labels = [label for answers in kept for label in answers.labels]
        if not labels:
            return {}
        measure = auc if self.plan.binary[target] else mean_error
        arms = kept[-1].arms
        return {arm: measure([v for answers in kept for v in answers.arms.get(arm, [])], labels) for arm in arms}

    def matured(self, target: str, today: float) -> int:
        """Return the first day that still has open questions."""
        return int(today) - self.plan.horizons[target]

    def note(self, target: str, champion: str, today: float) -> None:
        """Add the champion's AUC on the newest matured cohort to the curve."""
        last_day = self.matured(target, today)
        if last_day not in self.curve and last_day > COHORT:
            found = self.quality(target, last_day).get(champion)
            if found is not None and found == found:
                self.curve[last_day] = found

    # -- what was promised

    @property
    def before(self) -> float | None:
        """AUC of the last cohort whose horizon was over when the campaign began."""
        known = [day for day in self.curve if day <= self.plan.campaign_day - self.plan.horizons["churn"]]
        return self.curve[max(known)] if known else None

    @property
    def dip(self) -> tuple[int, float] | None:
        """(last day, AUC) of the worst cohort that the campaign touched."""
        known = {d: a for d, a in self.curve.items() if d > self.plan.campaign_day - self.plan.horizons["churn"]}
        worst = min(known, key=known.__getitem__, default=None)
        return None if worst is None else (worst, known[worst])

    @property
    def after(self) -> float | None:
        """AUC of the last cohort, where that is after the worst one."""
        dip = self.dip
        last = max(self.curve, default=None)
        return None if dip is None or last is None or last <= dip[0] else self.curve[last]

    @property
    def recovered(self) -> bool:
        """Whether at least half of the AUC that the campaign cost was regained."""
        before, dip, after = self.before, self.dip, self.after
        if before is None or dip is None or after is None:
            return False
        return dip[1] < before and after >= dip[1] + (before - dip[1]) / 2

    def opened(self, after_campaign: bool) -> list[Alert]:
        """Return the alerts that opened before the campaign, or since."""
        return [alert for alert in self.alerts if (alert.day >= self.plan.campaign_day) == after_campaign]


def auc(values: Sequence[float], labels: Sequence[float]) -> float:
    """Return the area under the ROC curve; ties count half (the Mann-Whitney statistic). NaN with one class only."""
    ordered = sorted(zip(values, labels, strict=True))
    ones = sum(label > 0 for label in labels)
    zeros = len(labels) - ones
    if not ones or not zeros:
        return float("nan")
    below, area, start = 0, 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        tied_ones = sum(label > 0 for _, label in ordered[start:end])
        tied_zeros = end - start - tied_ones
        area += tied_ones * (below + tied_zeros / 2)
        below += tied_zeros
        start = end
    return area / (ones * zeros)


def mean_error(values: Sequence[float], labels: Sequence[float]) -> float:
    """Return the mean absolute error."""
    return sum(abs(value - label) for value, label in zip(values, labels, strict=True)) / len(labels)
