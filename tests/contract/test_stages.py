"""Contract of every Stage (streams.log.Stage)."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import cycle
from typing import Any

import pytest

from agents.stages import STAGES
from schemas.topics import DEAD_LETTERS
from streams.errors import PositionConflict, Unavailable
from streams.log import Output, Record
from tests.contract.stages.cases import CASES, Case, Logs
from tests.contract.stages.shell import COMMITTED, COMPUTED, POINTS, FailingStore, Shell

Batches = Callable[[Logs, random.Random], Logs]
Order = dict[tuple[str, int, str | None, int | None], list[tuple[bytes | None, bytes]]]
FOREIGN = (None, b"", b"nonsense", b"\0\0\0\0\1x", b"\0\0\0\x7f\x7fbody")
"""Record values that no stage can use."""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make slices small, so that each batch has many. History gets its own size in its case."""
    monkeypatch.setattr("streams.scoring.timers.SLICE", 3)
    monkeypatch.setattr("streams.judging.stage.SLICE", 60)


def in_order(outputs: list[Output]) -> Order:
    """Return the outputs by partition and source partition. Only the order within these groups matters."""
    found: Order = {}
    for topic, partition, key, value, source in outputs:
        cause = (None, None) if source is None else (source["topic"], source["partition"])
        found.setdefault((topic, partition, *cause), []).append((key, value))
    return found


def without_repetitions(outputs: list[Output]) -> Order:
    """Return what a reader sees that drops repetitions."""
    return {place: list(dict.fromkeys(records)) for place, records in in_order(outputs).items()}


@cache
def calm(case: Case) -> tuple[Order, dict[Any, Any]]:
    """Return the outputs and the final contents of the store when one batch holds all records and no fault occurs."""
    store, outputs = case.new_store(), list[Output]()
    shell = Shell(case, store, outputs)
    assert shell.work(shell.rest()) and not shell.rest()
    return in_order(outputs), case.contents(store)


def one_by_one(rest: Logs, chance: random.Random) -> Logs:
    place = next(iter(rest))
    return {place: rest[place][:1]}


def of_random_sizes(rest: Logs, chance: random.Random) -> Logs:
    places = chance.sample(sorted(rest), chance.randint(1, len(rest)))
    return {place: rest[place][: chance.choice((1, 5, 20, 60))] for place in places}


def test_every_stage_is_here() -> None:
    assert CASES.keys() == set(STAGES)


@pytest.mark.parametrize("batches", [one_by_one, of_random_sizes])
def test_batches_leave_no_trace(case: Case, batches: Batches) -> None:
    store, outputs, chance = case.new_store(), list[Output](), random.Random(1)
    shell = Shell(case, store, outputs)
    while rest := shell.rest():
        shell.work(batches(rest, chance))
    assert (in_order(outputs), case.contents(store)) == calm(case)


def test_nothing_is_written_before_commit(case: Case) -> None:
    """A stage that writes ahead writes only values that a run without faults also writes."""
    store, chance, slices = case.new_store(), random.Random(2), 0
    held = case.contents(store)

    def check(point: str) -> bool:
        nonlocal held, slices
        if point == COMPUTED:
            slices += 1
            now = case.contents(store)
            assert now.items() <= calm(case)[1].items() if case.writes_ahead else now == held
        elif point == COMMITTED:
            held = case.contents(store)
        return False

    shell = Shell(case, store, [])
    while rest := shell.rest():
        shell.work(of_random_sizes(rest, chance), check)
    assert slices > 5 and held == calm(case)[1]


@pytest.mark.parametrize("error", [PositionConflict, Unavailable])
def test_a_write_that_fails_leaves_no_trace(case: Case, error: type[Exception]) -> None:
    """`assign` discards the computed state. Processing again produces the same bytes."""
    chance = random.Random(3)
    store, outputs = FailingStore(case, chance, error), list[Output]()
    shell = Shell(case, store, outputs)
    while rest := shell.rest():
        shell.work(of_random_sizes(rest, chance))
    assert store.failed > 0
    assert (without_repetitions(outputs), case.contents(store.store)) == calm(case)


def test_work_that_is_given_up_leaves_no_trace(case: Case) -> None:
    """Work can be abandoned at any point. The same process or a new one continues."""
    chance, fate, fates = random.Random(4), "", list(POINTS)
    store, outputs = case.new_store(), list[Output]()

    def gives_up(point: str) -> bool:
        nonlocal fate
        if point == COMPUTED:  # choose a new fate at the start of each slice
            fate = fates.pop() if fates else chance.choice((*POINTS, "", "", ""))
        return point == fate

    shell = Shell(case, store, outputs)
    while rest := shell.rest():
        if not shell.work(of_random_sizes(rest, chance), gives_up):
            chance.choice((shell.assign, shell.start))()
    assert not fates
    assert (without_repetitions(outputs), case.contents(store)) == calm(case)


def test_two_owners_leave_no_trace(case: Case) -> None:
    """One owner does not know yet that the other one owns its partitions. No observer sees a position move
    backwards."""
    chance = random.Random(5)
    store, outputs = case.new_store(), list[Output]()
    *owners, observer = [Shell(case, store, outputs) for _ in range(3)]
    while any(owner.rest() for owner in owners):
        owner = chance.choice(owners)
        if rest := owner.rest():
            owner.work(of_random_sizes(rest, chance))
            observer.assign()
    assert (without_repetitions(outputs), case.contents(store)) == calm(case)


def test_what_the_store_has_lost_is_noticed_between_batches(case: Case) -> None:
    store, chance = case.new_store(), random.Random(6)
    shell = Shell(case, store, [])
    assert shell.intact()
    while rest := shell.rest():
        shell.work(of_random_sizes(rest, chance))
        assert shell.intact()
    case.lose(store)
    assert not shell.intact()


def test_records_that_it_cannot_use_change_nothing_else(case: Case) -> None:
    """The other records' results stay the same, and positions advance past all records."""
    logs = {at: [r._replace(offset=2 * r.offset) for r in records] for at, records in case.logs.items()}
    assert results(replace(case, logs=logs)) == results(replace(case, logs=with_foreign(logs)))


def with_foreign(logs: Logs) -> Logs:
    """Add an unusable record after each record."""
    values = cycle(FOREIGN)
    return {
        at: [record for own in log for record in (own, Record(own.offset + 1, 0, b"c1", next(values)))]
        for at, log in logs.items()
    }


def results(case: Case) -> tuple[object, object]:
    """Return the decoded outputs and the stored contents, without the parts that describe unusable records.

    A snapshot counts unusable records, so the digest in a switch differs."""
    store, outputs = case.new_store(), list[Output]()
    shell = Shell(case, store, outputs)
    assert shell.work(shell.rest()) and not shell.rest()
    told = {
        place: [repr(case.codec.decode(value)[1] | {"digest": None, "signature": None}) for _, value in records]
        for place, records in in_order(outputs).items()
        if place[0] != DEAD_LETTERS
    }
    return told, case.untouched(case.contents(store))
