"""Cohorts agree with a slow oracle, whatever the order of their labels."""

import random
from dataclasses import replace

import pytest

from streams.judging.cohorts import MOST_OPEN, Cohorts, without_rank
from streams.judging.metrics import roc_auc
from streams.usecases import AmountOver, Arm, Ask, EventWithin, ExplicitOutcome, Logistic, PriorRate, Target

DAY = 86_400_000
ARMS = (Arm("model", Logistic(), role="champion"), Arm("prior", PriorRate(), role="naive"))
TARGET = Target("t", ask=Ask(on=("Buy",)), outcome=EventWithin("Buy", over="7d"), arms=ARMS)


def cohorts(target=TARGET, partitions=2, window="1d"):
    return Cohorts(target, window, partitions)


def questions(number, seed=1):
    """Return (asked at, outcome at, answers, trained, label) over ten days. Ones are settled before zeros."""
    rng = random.Random(seed)
    made = []
    for _ in range(number):
        asked, p = rng.randrange(10 * DAY), rng.choice([0.2, 0.5, rng.random()])
        label = float(rng.random() < p)
        at = asked + (rng.randrange(7 * DAY) if label else 7 * DAY)
        made.append((asked, at, (p, 0.3), rng.random() < 0.9, label))
    return made


def closed(found, watermark):
    return [each for partition in (0, 1) for each in found.passed(partition, watermark)]


def test_a_cohort_has_the_questions_of_its_span_and_says_how_exact_it_is():
    made = questions(4000)
    found = cohorts()
    for question in sorted(made, key=lambda question: question[1]):
        found.add(*question)
    told = closed(found, 17 * DAY)
    assert [start // DAY for start, _ in told] == list(range(10))
    for start, cohort in told:
        of_day = [question for question in made if start <= question[0] < start + DAY]
        trained = [question for question in of_day if question[3]]
        pairs = [(question[2][0], question[4]) for question in trained]
        values = cohort.values(0)
        exact = roc_auc([p for p, _ in pairs], [y for _, y in pairs])
        assert abs(values["roc_auc"] - exact) <= values["roc_auc_error"]
        assert cohort.totals[0].count == cohort.totals[1].count == len(trained)
        assert values["untrained"] == len(of_day) - len(trained)
        assert values["mean_label"] == pytest.approx(sum(question[4] for question in of_day) / len(of_day))
        assert cohort.values(1)["roc_auc"] == 0.5, "a constant ranks nobody"


def test_it_closes_when_the_last_horizon_is_over_in_every_partition():
    found = cohorts()
    found.add(DAY - 1, DAY, (0.5, 0.5), True, 1.0)
    assert list(found.passed(0, 20 * DAY)) == []
    assert list(found.passed(1, 8 * DAY - 1)) == []
    ((start, cohort),) = found.passed(1, 8 * DAY)
    assert start == 0 and cohort.totals[0].count == 1
    assert list(found.passed(1, 9 * DAY)) == [], "an empty span tells nothing"
    found.add(DAY - 1, DAY, (0.5, 0.5), True, 1.0)
    assert closed(found, 99 * DAY) == [], "a closed cohort stays closed"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_labels_changes_nothing(seed):
    made, told = questions(500), []
    for order in (made, random.Random(seed).sample(made, len(made))):
        found = cohorts()
        for question in order:
            found.add(*question)
        told.append(
            [(start, cohort.untrained, cohort.values(0)["roc_auc"]) for start, cohort in closed(found, 99 * DAY)]
        )
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_packed_copy_goes_on_the_same(kind):
    amounts = replace(TARGET, kind=kind, outcome=AmountOver("Buy", field="cents", over="7d"))
    target = TARGET if kind == "binary" else amounts
    whole, copy = cohorts(target), cohorts(target)
    for number, question in enumerate(questions(400)):
        again = cohorts(target)
        again.unpack(copy.pack())
        copy = again
        for each in (whole, copy):
            each.add(*question)
            if number % 50 == 0:
                list(each.passed(number % 2, question[0]))
    assert whole.pack() == copy.pack()
    assert [start for start, _ in closed(whole, 99 * DAY)] == [start for start, _ in closed(copy, 99 * DAY)]


def test_few_cohorts_are_open_at_once_even_where_labels_come_early():
    year = cohorts(replace(TARGET, outcome=EventWithin("Buy", over="52w", settle="at_once")))
    assert year.width % DAY == 0 and 364 * DAY <= MOST_OPEN * year.width < 364 * DAY + MOST_OPEN * DAY
    assert cohorts(window="4w").width == 28 * DAY


def test_questions_without_a_horizon_count_by_their_outcomes():
    found = cohorts(replace(TARGET, outcome=ExplicitOutcome()))
    found.add(0, 5 * DAY + 1, (0.5, 0.5), True, 1.0)
    ((start, _),) = closed(found, 6 * DAY)
    assert start == 5 * DAY


def test_an_arm_that_looks_at_nothing_has_an_auc_of_one_half():
    assert without_rank({"roc_auc": 0.004, "roc_auc_error": 0.001, "log_loss": 0.3}) == {
        "roc_auc": 0.5,
        "roc_auc_error": 0.0,
        "log_loss": 0.3,
    }
    assert "roc_auc" not in without_rank({"mae": 3.0})
