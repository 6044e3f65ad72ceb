"""The measured constants behind every estimate. measured.json holds the values, and how each was measured.

CPU means one core of the machine of the measurement. "us" is microseconds; rates are records per second."""

import json
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any

from streams.errors import SettingError

MEASURED = "measured.json"


@dataclass(frozen=True, slots=True)
class Constants:
    """One value per constant. The unit is part of the name."""

    # -- any worker
    worker_cpu_us_per_record_read: float
    """Fetching a record and its share of Faust's work, in any stage."""
    worker_cpu_us_per_record_produced: float
    """Producing a record of a prediction's size, and its ack."""
    scoring_share_on_small_batches: float
    """Share of the rest of a scorer's core that small batches cost: under a live load a batch is a few events."""
    learning_share_on_small_batches: float
    """The same for a learner. It gathers for 0.1 s, as judging and monitoring do; history gathers for a second."""
    judging_share_on_small_batches: float
    """The same for judging and monitoring."""
    history_share_on_small_batches: float
    """The same for history."""
    # -- scoring, per record and per step
    scoring_cpu_us_per_event: float
    """Decode, check, drop duplicates, resolve observations, pack; neither features nor questions."""
    scoring_cpu_us_per_feature: float
    """Update and vector, per declared feature, for each event and each scheduled question."""
    scoring_cpu_us_per_prediction: float
    """Reasons, record, Avro; without the arms' answers."""
    scoring_cpu_us_per_answer_linear: float
    """One arm's answer: Logistic, Linear."""
    scoring_cpu_us_per_answer_tree: float
    """One arm's answer: HoeffdingTree."""
    scoring_cpu_us_per_answer_forest_tree: float
    """One arm's answer: AdaptiveForest, per tree of it."""
    scoring_cpu_us_per_answer_naive: float
    """One arm's answer: PriorRate, LastValue."""
    scoring_cpu_us_per_example: float
    """Opening, keeping and settling the observation; the labelled example's record, Avro."""
    scoring_cpu_us_per_customer: float
    """The client's part of reading one customer from Redis and committing it."""
    scoring_cpu_us_per_tick: float
    """A tick of a partition: write, read, check, look for timers, commit; and its progress records, for one target."""
    scoring_cpu_us_per_switch: float
    """A switch read in one partition, without loading the version."""
    # -- models: the cost of a served version for its learner (dump and load) and every scorer (load)
    model_dump_cpu_us_linear: float
    """Snapshot made, sealed and written."""
    model_dump_cpu_us_tree: float
    """Snapshot made, sealed and written."""
    model_dump_cpu_us_forest_tree: float
    """Snapshot made, sealed and written, per tree."""
    model_dump_cpu_us_naive: float
    """Snapshot made, sealed and written."""
    model_load_cpu_us_linear: float
    """Snapshot read, checked and unpacked."""
    model_load_cpu_us_tree: float
    """Snapshot read, checked and unpacked."""
    model_load_cpu_us_forest_tree: float
    """Snapshot read, checked and unpacked, per tree."""
    model_load_cpu_us_naive: float
    """Snapshot read, checked and unpacked."""
    # -- the other stages
    learning_cpu_us_per_example: float
    """Decode and check in one arm's learner, before its model learns. Every arm reads by itself."""
    learning_cpu_us_per_learn_linear: float
    """Model.learn: Logistic, Linear."""
    learning_cpu_us_per_learn_tree: float
    """Model.learn: HoeffdingTree."""
    learning_cpu_us_per_learn_forest_tree: float
    """Model.learn: AdaptiveForest, per tree."""
    learning_cpu_us_per_learn_naive: float
    """Model.learn: PriorRate, LastValue."""
    judging_cpu_us_per_example: float
    """Decode, check."""
    judging_cpu_us_per_answer: float
    """Metrics and detector of one arm."""
    monitoring_cpu_us_per_prediction: float
    """Decode, check."""
    monitoring_cpu_us_per_feature: float
    """One value into its histogram."""
    history_cpu_us_per_event: float
    """Decode, two rows, insert: the client's part."""
    history_cpu_us_per_prediction: float
    """Decode, one row, insert: the client's part."""
    history_cpu_us_per_example: float
    """Decode, one row, insert: the client's part."""
    reader_cpu_us_per_control: float
    """A progress record or tick decoded by learning, judging, monitoring or history."""
    # -- the servers' CPU
    redis_cpu_us_per_customer: float
    """Reading and committing one customer, in the server."""
    kafka_cpu_us_per_record_written: float
    """One record, in each broker that keeps a copy."""
    kafka_cpu_us_per_record_read: float
    """One record, fetched once."""
    clickhouse_cpu_us_per_row: float
    """Insert and all later merges."""
    # -- bytes in Redis, by MEMORY USAGE or growth of used_memory: with keys and the allocator's overhead
    redis_bytes_per_customer: float
    """Keys, clock, due times, timer; neither features, digests nor observations."""
    redis_bytes_per_feature: float
    """Tiles and other state of one declared feature."""
    redis_bytes_per_digest: float
    """One remembered event id; a customer has at most 256. From the layout."""
    redis_bytes_per_open_observation: float
    """Ids, times and target of an open observation, and its share of the customer's second key."""
    redis_bytes_per_observed_feature: float
    """One double of an open observation's vector. From the layout."""
    redis_bytes_per_observed_answer: float
    """One arm of an open observation: arm, version, value."""
    redis_bytes_per_partition: float
    """Position, header, and the set of timers itself."""
    # -- bytes in Kafka's log segments, one copy, as producers send them (Tidecast's do not compress)
    kafka_bytes_per_record: float
    """Key, coordinate header and framing of any record, with its share of the batch's header."""
    kafka_bytes_per_prediction: float
    """Value of a prediction without answers and vector."""
    kafka_bytes_per_example: float
    """Value of a labelled example without answers and vector."""
    kafka_bytes_per_answer: float
    """One arm's answer in either."""
    kafka_bytes_per_feature: float
    """One double of the vector in either. From the layout."""
    kafka_bytes_per_control: float
    """Value of a progress record, for one target; a tick or switch counts as much."""
    # -- bytes in ClickHouse, compressed, one copy, parts merged
    clickhouse_bytes_per_row_records: float
    """Row of records_raw."""
    clickhouse_bytes_per_row_events: float
    """Row of events_by_kind_raw."""
    clickhouse_bytes_per_row_predictions: float
    """Row of predictions_raw without answers, versions and vector."""
    clickhouse_bytes_per_row_labelled_examples: float
    """A row of labelled_examples_raw without answers, versions and vector."""
    clickhouse_bytes_per_answer: float
    """Arm, version, answer, fallback."""
    clickhouse_bytes_per_feature: float
    """One double of a vector."""
    # -- memory of processes
    worker_base_bytes: float
    """A worker process with models served and nothing cached."""
    worker_bytes_per_cached_customer: float
    """A customer in a scorer's cache, packed."""
    kafka_base_bytes: float
    """A broker's process, without its page cache, which needs memory as well."""
    redis_base_bytes: float
    """An empty Redis."""
    clickhouse_base_bytes: float
    """ClickHouse with our tables and no query running."""
    registry_base_bytes: float
    """The schema registry."""
    # -- choice
    headroom_share: float
    """Share of every core, memory and disk that stays free at the peak. A choice: latency is stated at half load."""


NAMES = tuple(field.name for field in fields(Constants))
_LEARN = "learning_cpu_us_per_learn_"
MODEL_KINDS = tuple(name.removeprefix(_LEARN) for name in NAMES if name.startswith(_LEARN))
"""The kinds of models whose costs are measured: a declaration of streams.models states its own as `cost`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An entry of measured.json.

    how: how the constant is measured. command: what was run for this value. provisional: the value was estimated, or
    taken from other figures."""

    name: str
    value: float
    provisional: bool
    how: str
    command: str
    date: str


def read_measured(text: str | None = None) -> list[Measured]:
    """Read the entries of measured.json (or of `text`), in the order of Constants. Raises SettingError when one is
    wrong."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath(MEASURED).read_text() if text is None else text)
    entries: dict[str, Any] = found["constants"]
    if set(entries) != set(NAMES):
        odd = ", ".join(sorted(set(entries) ^ set(NAMES)))
        raise SettingError(f"{MEASURED} and agents.sizing.constants.Constants differ in {odd}; make them agree.")
    measured = [Measured(name, **entries[name]) for name in NAMES]
    for each in measured:
        if not 0 <= each.value < float("inf"):
            raise SettingError(f"{MEASURED}: {each.name} is {each.value}; write a finite number, 0 or more.")
    return measured


def load_constants() -> Constants:
    """Return the constants in measured.json."""
    return Constants(**{each.name: each.value for each in read_measured()})
