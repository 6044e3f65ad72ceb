"""Paused and empty time: batches and crashes change nothing, and silence is not learnt as an answer."""

import pytest

from streams.replay import replay
from streams.scoring import timers
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.test_scoring import calm, contents, seen, stormy
from tests.replay.world import DAY, HOUR, LATENESS, Log, decoded, random_log, scoring

HORIZONS = {"silent": 3 * DAY, "leaves": 2 * DAY, "spend": 4 * DAY}
START = 100 * DAY


def header(store: MemoryScoringStore, partition: int) -> PartitionHeader:
    return PartitionHeader.unpack(store.positions([partition])[partition][1])


class Time:
    """The slow oracle of a partition's time: which ticks count, and when it stood still."""

    def __init__(self) -> None:
        self.tick: int | None = None
        self.stands = self.by_hand = False
        self.number = 0
        self.pauses: list[tuple[int, int]] = []
        self.gaps: list[tuple[int, int]] = []
        self._since: int | None = None

    def read(self, name: str, record: dict) -> None:
        if name == "tidecast.Pause" and record["number"] > self.number:
            self.number = record["number"]
            if record["paused"]:
                self._since = self.tick if not self.stands and self._since is None else self._since
                self.by_hand = (self.by_hand and self.stands) or not record["automatic"]
                self.stands = True
            elif not (record["automatic"] and self.by_hand):
                self.stands = False
        if name == "tidecast.Tick" and not self.stands and (self.tick is None or record["time"] > self.tick):
            if self._since is not None:
                self.pauses.append((self._since, record["time"]))
            if self.tick is not None and (self._since is not None or record["gap"]):
                self.gaps.append((self.tick, record["time"]))
            self._since, self.tick = None, record["time"]

    def end(self, asked: int, horizon: int) -> int:
        """The end of a horizon, walked from pause to pause."""
        at, left = asked, horizon
        for begin, end in [*self.pauses, *([] if self._since is None else [(self._since, 1 << 60)])]:
            if at + left <= begin:
                break
            left -= max(0, begin - at)
            at = max(at, end)
        return at + left


def times(log: Log) -> dict[int, Time]:
    found = {}
    for (_, partition), records in log.logs.items():
        found[partition] = Time()
        for record in records:
            if record.key is None:
                found[partition].read(*log.codec.decode(record.value))
    return found


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("slice_size", [3, 1000])
def test_batches_caches_and_crashes_leave_no_trace(seed, slice_size, monkeypatch):
    monkeypatch.setattr(timers, "SLICE", slice_size)
    log = random_log(seed, standing=0.15)
    store, outputs = calm(log)
    other = MemoryScoringStore()
    repeated = stormy(log, seed, other)
    assert contents(other) == contents(store)
    assert seen(log, repeated).difference(seen(log, outputs)) is None


@pytest.mark.parametrize("seed", range(30))
def test_labels_equal_the_oracle(seed):
    log = random_log(seed, standing=0.15)
    _, outputs = calm(log)
    late = {e["event_id"] for e in decoded(log, outputs, "LateEvent")}
    events = {r["event_id"]: (n, r) for n, r in log.published if "event_id" in r and r["event_id"] not in late}
    examples = [e for e in decoded(log, outputs, "LabelledExample") if e["target"] != "told"]
    clocks = times(log)
    assert any(clock.pauses for clock in clocks.values()) or seed % 3
    for example in examples:
        asked, clock = example["asked_at"], clocks[example["source"]["partition"]]
        end = clock.end(asked, HORIZONS[example["target"]])
        inside = [
            (name, record)
            for name, record in events.values()
            if record["customer_id"] == example["customer_id"] and asked < record["occurred_at"] <= end
        ]
        buys = [record["cents"] for name, record in inside if name == "small.Buy"]
        truth = {
            "silent": float(not buys),
            "leaves": float(any(name == "small.Leave" for name, _ in inside)),
            "spend": sum(buys) * 0.01,
        }[example["target"]]
        assert example["label"] == truth, (example, end)
    settled = {e["prediction_id"] for e in examples}
    for prediction in decoded(log, outputs, "Prediction"):
        if not prediction["observed"] or prediction["target"] == "told":
            continue
        clock = clocks[prediction["source"]["partition"]]
        closed = clock.end(prediction["asked_at"], HORIZONS[prediction["target"]]) + LATENESS < (clock.tick or 0)
        assert prediction["prediction_id"] in settled or not closed


@pytest.mark.parametrize("seed", range(16))
def test_no_schedule_asks_within_paused_or_empty_time(seed):
    log = random_log(seed, standing=0.15)
    clocks = times(log)
    asked = [p for p in decoded(log, calm(log)[1], "Prediction") if p["asked_by"] == "schedule"]
    assert asked
    for prediction in asked:
        gaps = clocks[prediction["source"]["partition"]].gaps
        assert not any(begin < prediction["asked_at"] < end for begin, end in gaps)


def visited() -> tuple[Log, int]:
    """A log in which a customer visits and buys, then the time of a tick; return it and the customer's partition."""
    log = Log()
    log.deploy()
    log.tick(START)
    visit(log, "a", START)
    log.say("small.Buy", event_id="b", customer_id="c0", occurred_at=START + 1, cents=5)
    log.tick(START + HOUR)
    partition = next(p for p, records in log.records.items() if len(records) > 3)
    return log, partition


def visit(log: Log, id: str, moment: int) -> None:
    log.say("small.Visit", event_id=id, customer_id="c0", occurred_at=moment, seconds=None)


def buy(log: Log, id: str, moment: int) -> None:
    log.say("small.Buy", event_id=id, customer_id="c0", occurred_at=moment, cents=5)


def labels(log: Log, target: str) -> list[float]:
    return [e["label"] for e in decoded(log, calm(log)[1], "LabelledExample") if e["target"] == target]


def test_silence_of_the_producers_is_not_learnt_as_customers_who_left():
    silent, paused = visited()[0], visited()[0]
    silent.tick(START + 10 * DAY)
    paused.pause(True, 1)
    paused.tick(START + 9 * DAY)  # of an owner that does not know of the pause yet
    paused.pause(False, 2)
    paused.tick(START + 10 * DAY)
    assert 1.0 in labels(silent, "silent")
    assert labels(paused, "silent") == []
    buy(paused, "c", START + 10 * DAY + 2)
    assert labels(paused, "silent") == [0.0]  # she was there as soon as one could see


def test_horizons_close_within_empty_time_and_nothing_is_asked_there():
    leap, gap = visited()[0], visited()[0]
    leap.tick(START + 400 * DAY)
    gap.tick(START + 400 * DAY, gap=True)
    for log in (leap, gap):
        assert len(labels(log, "silent")) >= 1
    asked = [
        [p for p in decoded(log, calm(log)[1], "Prediction") if p["asked_by"] == "schedule"] for log in (leap, gap)
    ]
    assert len(asked[0]) > 100 and asked[1] == []


def test_questions_that_are_not_asked_are_counted():
    log, partition = visited()
    log.tick(START + 400 * DAY, gap=True)
    store, _ = calm(log)
    plans = 400 + 4  # leaves: every day; silent: every two days, while active for nine
    assert header(store, partition).counters["unasked"] == pytest.approx(plans, abs=2)
    log.tick(START + 402 * DAY + 1)
    asked = [p for p in decoded(log, calm(log)[1], "Prediction") if p["asked_by"] == "schedule"]
    assert {p["target"] for p in asked} == {"leaves"}  # it goes on where time does
    assert len(asked) == 2


def test_a_schedule_does_not_end_because_time_stood_still():
    log, _ = visited()
    log.pause(True, 1)
    log.pause(False, 2)
    log.tick(START + 20 * DAY)
    log.tick(START + 24 * DAY)
    asked = [p for p in decoded(log, calm(log)[1], "Prediction") if p["asked_by"] == "schedule"]
    assert {p["target"] for p in asked} == {"leaves", "silent"}  # while_active="9d"


def test_ticks_of_a_pause_change_nothing_but_the_count():
    log, partition = visited()
    log.pause(True, 1)
    for day in range(1, 9):
        log.tick(START + day * DAY)
    store, _ = calm(log)
    assert header(store, partition).last_tick == START + HOUR
    assert header(store, partition).counters["controls"] == 1 + 2 + 1 + 8


def test_a_pause_by_hand_is_not_ended_by_a_worker_and_a_former_record_changes_nothing():
    log, partition = visited()
    log.pause(True, 5, automatic=False)
    log.pause(False, 6, automatic=True)
    log.pause(False, 4, automatic=False)
    assert header(calm(log)[0], partition).is_paused
    log.pause(False, 7, automatic=False)
    assert not header(calm(log)[0], partition).is_paused


def test_a_worker_takes_up_the_pause_of_another_one_but_not_that_of_a_person():
    log, partition = visited()
    log.pause(True, 1, automatic=True)
    log.pause(True, 2, automatic=False)
    log.pause(False, 3, automatic=True)
    assert header(calm(log)[0], partition).is_paused
    log.pause(False, 4)
    log.pause(True, 5, automatic=True)
    log.pause(True, 6, automatic=True)
    log.pause(False, 7, automatic=True)
    assert not header(calm(log)[0], partition).is_paused


def test_pauses_are_forgotten_when_no_open_question_has_met_them():
    log, partition = visited()
    log.pause(True, 1)
    log.pause(False, 2)
    log.tick(START + 2 * DAY)
    assert header(calm(log)[0], partition).pauses == [[START + HOUR, START + 2 * DAY]]
    log.tick(START + 30 * DAY)
    log.tick(START + 31 * DAY)
    assert header(calm(log)[0], partition).pauses == []


def test_a_log_that_was_never_paused_keeps_its_stored_form():
    log, partition = visited()
    (packed,) = [packed for p, (_, packed) in calm(log)[0].positions([partition]).items() if p == partition]
    assert b"pause" not in packed and b"gap" not in packed


def test_a_pause_that_ends_within_a_slice_equals_one_record_at_a_time():
    log, _ = visited()
    log.pause(True, 1)
    visit(log, "during", START + 5 * DAY)
    log.pause(False, 2)
    log.tick(START + 6 * DAY)
    log.tick(START + 20 * DAY)
    store, outputs = calm(log)
    single = MemoryScoringStore()
    stage = scoring(log, single)
    ones = [output for batch in replay(stage, log.logs, batch=1) for output in batch]
    assert contents(single) == contents(store)
    assert seen(log, ones).difference(seen(log, outputs)) is None
