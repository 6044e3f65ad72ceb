"""Computes cores: microseconds of CPU per second, divided by a million."""

from agents.sizing.constants import Constants
from agents.sizing.load import ArmLoad, Load
from agents.sizing.rates import Rates, TargetRates

US = 1e6
LIVELY = 250.0
"""From this rate on, events per second, a scorer always has a batch in progress: a batch of a few events takes 2.5
ms."""


def per_kind(c: Constants, what: str, arm: ArmLoad) -> float:
    """Return the constant `what` of this kind of arm, times the arm's multiplier."""
    return arm.times * float(getattr(c, f"{what}_{arm.kind}"))


def scoring_cores(load: Load, r: Rates, c: Constants) -> float:
    """Return the cores that the scorers share: the cost per event, question, example and customer."""
    vectors = r.events + sum(t.by_schedule for t in r.targets)
    total = r.events * (c.worker_cpu_us_per_record_read + c.scoring_cpu_us_per_event)
    total += (r.questions + r.examples) * c.worker_cpu_us_per_record_produced
    total += vectors * load.features * c.scoring_cpu_us_per_feature
    total += r.touches * c.scoring_cpu_us_per_customer + r.examples * c.scoring_cpu_us_per_example
    for t in r.targets:
        answers = sum(per_kind(c, "scoring_cpu_us_per_answer", arm) for arm in t.target.arms)
        total += t.questions * (c.scoring_cpu_us_per_prediction + answers)
    return total / US


def control_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the scorers' cores per number of partitions: ticks, and a switch per partition and version."""
    ticks = len(load.targets) * c.scoring_cpu_us_per_tick / load.tick_seconds
    return partitions * (ticks + r.versions * c.scoring_cpu_us_per_switch) / US


def version_cores(r: Rates, c: Constants) -> float:
    """Return the cores that each scorer spends on loading versions, independent of the number of scorers."""
    return sum(t.versions * per_kind(c, "model_load_cpu_us", arm) for t in r.targets for arm in t.target.arms) / US


def learner_cores(t: TargetRates, arm: ArmLoad, load: Load, c: Constants, partitions: int) -> float:
    """Return the cores of one arm's learner, which cannot use more than one."""
    each = (
        c.worker_cpu_us_per_record_read + c.learning_cpu_us_per_example + per_kind(c, "learning_cpu_us_per_learn", arm)
    )
    version = per_kind(c, "model_dump_cpu_us", arm) + per_kind(c, "model_load_cpu_us", arm)
    return (t.examples * each + t.versions * version + _progress(load, c, partitions)) / US


def judging_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the cores of judging for all targets."""
    total = sum(_judging(t, c) + _progress(load, c, partitions) for t in r.targets)
    return total / US


def _judging(t: TargetRates, c: Constants) -> float:
    each = c.worker_cpu_us_per_record_read + c.judging_cpu_us_per_example
    return t.examples * (each + len(t.target.arms) * c.judging_cpu_us_per_answer)


def monitoring_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the cores of monitoring for all source partitions."""
    each = c.worker_cpu_us_per_record_read + c.monitoring_cpu_us_per_prediction
    total = sum(t.questions * (each + t.target.features * c.monitoring_cpu_us_per_feature) for t in r.targets)
    return (total + _progress(load, c, partitions)) / US


def history_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the cores of history for all topics."""
    total = r.events * c.history_cpu_us_per_event + r.questions * c.history_cpu_us_per_prediction
    total += r.examples * c.history_cpu_us_per_example
    told = controls(load, r, partitions)
    read = (r.events + r.questions + r.examples + told) * c.worker_cpu_us_per_record_read
    return (total + read + told * c.reader_cpu_us_per_control) / US


def small_batches(c: Constants) -> dict[str, float]:
    """Return, by stage, the share of a worker's idle core that small batches use. It shrinks as the load grows."""
    return {
        "scoring": c.scoring_share_on_small_batches,
        "learning": c.learning_share_on_small_batches,
        "judging, monitoring": c.judging_share_on_small_batches,
        "history": c.history_share_on_small_batches,
    }


def _progress(load: Load, c: Constants, partitions: int) -> float:
    """Return the microseconds per second for the progress of all source partitions in one topic."""
    each = c.worker_cpu_us_per_record_read + c.reader_cpu_us_per_control
    return partitions / load.progress_seconds * each


def controls(load: Load, r: Rates, partitions: int) -> float:
    """Return control records per second: ticks, a progress record for predictions and one per target, and switches."""
    return partitions * (1 / load.tick_seconds + (1 + len(load.targets)) / load.progress_seconds + r.versions)


def redis_cores(r: Rates, c: Constants) -> float:
    """Return the cores of all Redis shards; each uses one."""
    return r.touches * c.redis_cpu_us_per_customer / US


def kafka_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the cores of all brokers."""
    told = controls(load, r, partitions)
    written = r.events + r.questions + r.examples + told
    # scoring and history read events; monitoring, history and others read predictions; judging, history and each
    # learner read examples
    by_arms = sum(t.examples * len(t.target.arms) for t in r.targets)
    read = 2 * r.events + (2 + load.consumers) * r.questions + 2 * r.examples + by_arms + 2 * told
    return (
        written * load.kafka_copies * c.kafka_cpu_us_per_record_written + read * c.kafka_cpu_us_per_record_read
    ) / US


def clickhouse_cores(load: Load, r: Rates, c: Constants, partitions: int) -> float:
    """Return the cores of all ClickHouse copies: each inserts and merges by itself."""
    return rows(load, r, partitions) * load.clickhouse_copies * c.clickhouse_cpu_us_per_row / US


def rows(load: Load, r: Rates, partitions: int) -> float:
    """Return rows per second: an event has one in `events` and one in `records`; a control record has one."""
    return 2 * r.events + r.questions + r.examples + controls(load, r, partitions)
