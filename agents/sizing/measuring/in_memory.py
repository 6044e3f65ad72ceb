"""Measures what the stages compute per record, by replays in memory that differ in one thing at a time.

No servers: reading a record, producing one, and Redis have constants of their own."""

from collections.abc import Callable, Mapping
from typing import Any

from agents.sizing.measuring.job import (
    ASKED,
    EXAMPLES,
    FEW,
    KEY,
    MANY,
    MINUTE_MS,
    PLACE,
    START,
    Job,
    JobReplay,
    cpu_us_per_record,
)
from schemas.records import PROGRESS, SWITCH, ProgressRecord, SwitchRecord
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.identity import Coordinate
from streams.judging.stage import Judging
from streams.log import Record
from streams.monitoring import Monitoring
from streams.state.memory import MemoryStageStore

ROUNDS = 5
SWITCHES = 2_000
PROGRESSES = 20_000
LEARNT: dict[str, Any] = {"observe": 1.0, "serve_every": 500}
"""Settings of a job whose models learn. Answers of untrained models are all equal, and cost less to rank."""
NAIVE = 1
"""Index of the baseline arm."""


def stage_constants(answer: Mapping[str, float]) -> dict[str, float]:
    """Return microseconds by constant. `answer`: the cost of an arm's answer and learn, by constant."""
    linear = answer["scoring_cpu_us_per_answer_linear"]
    cost = _least(
        {
            "few": lambda: _scoring(Job(FEW)),
            "many": lambda: _scoring(Job()),
            "two": lambda: _scoring(Job(targets=2)),
            "observed": lambda: _scoring(Job(observe=1.0)),
            "switch": _switches,
            "learner": lambda: _learning(JobReplay(Job(observe=1.0, arms=2))),
            "progress": _progress,
            "judge one": lambda: _judging(JobReplay(Job(arms=1, **LEARNT))),
            "judge four": lambda: _judging(JobReplay(Job(arms=4, **LEARNT))),
            "monitor few": lambda: _monitoring(JobReplay(Job(FEW, **LEARNT))),
            "monitor many": lambda: _monitoring(JobReplay(Job(**LEARNT))),
        }
    )
    feature, question = (cost["many"] - cost["few"]) / (MANY - FEW), cost["two"] - cost["many"]
    judged = (cost["judge four"] - cost["judge one"]) / 3
    watched = (cost["monitor many"] - cost["monitor few"]) / (MANY - FEW)
    return {
        "scoring_cpu_us_per_feature": feature,
        "scoring_cpu_us_per_event": cost["many"] - MANY * feature - question,
        "scoring_cpu_us_per_prediction": question - linear,
        "scoring_cpu_us_per_example": cost["observed"] - cost["many"],
        "scoring_cpu_us_per_switch": cost["switch"],
        "learning_cpu_us_per_example": cost["learner"] - answer["learning_cpu_us_per_learn_naive"],
        "reader_cpu_us_per_control": cost["progress"],
        "judging_cpu_us_per_example": cost["judge one"] - judged,
        "judging_cpu_us_per_answer": judged,
        "monitoring_cpu_us_per_prediction": cost["monitor few"] - FEW * watched,
        "monitoring_cpu_us_per_feature": watched,
    }


def _least(costs: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Return each cost at its minimum over some rounds, taken in turn: noise only adds, and speed drifts."""
    rounds = [{name: cost() for name, cost in costs.items()} for _ in range(ROUNDS)]
    return {name: min(found[name] for found in rounds) for name in costs}


def _scoring(job: Job) -> float:
    replayed = JobReplay(job)
    return cpu_us_per_record(replayed.scoring(), PLACE, replayed.log(ticks=job.observe > 0))


def _switches() -> float:
    """Return the cost of a switch. All name one version, which the first one loads, with growing commands."""
    replayed = JobReplay(Job(observe=1.0, serve_every=100, events=2_000))
    switch: SwitchRecord = replayed.codec.decode(replayed.switches()[0])[1]
    values = [replayed.deployed(CUSTOMER_EVENTS)]
    values += [replayed.control(SWITCH, {**switch, "command": number}) for number in range(1, SWITCHES)]
    log = [Record(offset, START, None, value) for offset, value in enumerate(values)]
    return cpu_us_per_record(replayed.scoring(), PLACE, log)


def _learning(replayed: JobReplay) -> float:
    return cpu_us_per_record(replayed.learner(NAIVE), EXAMPLES, replayed.outputs()[EXAMPLES])


def _progress() -> float:
    """Return the cost of a progress record, by a learner."""
    replayed = JobReplay(Job())
    values = [replayed.deployed(LABELLED_EXAMPLES)]
    for number in range(1, PROGRESSES):
        source = Coordinate(CUSTOMER_EVENTS, 1, 0, number, 0).as_record()
        moment = START + number * MINUTE_MS
        told: ProgressRecord = {"watermark": moment, "tick": moment, "opened": {}, "settled": {}, "source": source}
        values.append(replayed.codec.encode(PROGRESS, told))
    log = [Record(offset, START, None, value) for offset, value in enumerate(values)]
    return cpu_us_per_record(replayed.learner(0), EXAMPLES, log)


def _judging(replayed: JobReplay) -> float:
    stage = Judging(replayed.case, replayed.deployment, MemoryStageStore(), replayed.codec, KEY)
    return cpu_us_per_record(stage, EXAMPLES, replayed.outputs(replayed.switches())[EXAMPLES])


def _monitoring(replayed: JobReplay) -> float:
    stage = Monitoring(replayed.case, replayed.deployment, MemoryStageStore(), replayed.codec)
    return cpu_us_per_record(stage, ASKED, replayed.outputs(replayed.switches())[ASKED])
