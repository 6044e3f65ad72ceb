-- Storage. Every table is named *_raw and may hold a row more than once after a crash or a time-out;
-- analysts read the views of 0002, which never show a row twice.
--
-- Shared by all tables:
--   * ReplacingMergeTree on the record's own deterministic id is what makes repeated inserts harmless. `keep` falls as
--     the offset grows, so the copy that came first in its log wins, whatever the order of the inserts.
--   * Partitions are months of event time (a copy has the same event time, so copies meet in one partition).
--     Where a row is known by its place in a log, they are months of its Kafka timestamp.
--   * Retention counts from stored_at, when the row was written here: an import of old events is kept as long as new ones,
--     whatever timestamps its producer gave. The column is not part of SELECT *, as it differs from copy to copy.
--   * log_epoch, log_partition, log_offset: the place of the record itself. source_*: its coordinate, the record that
--     caused it and the ordinal among that record's outputs.

CREATE TABLE IF NOT EXISTS records_raw (
    log_epoch     Int64 COMMENT 'Log epoch' CODEC(Delta, ZSTD),
    log_partition Int32 COMMENT 'Partition of customer-events' CODEC(Delta, ZSTD),
    log_offset    Int64 COMMENT 'Offset in that partition' CODEC(Delta, ZSTD),
    kind          LowCardinality(String) COMMENT 'event, outcome, tick, control, unknown (a record that is none of these) or undecodable',
    record        LowCardinality(String) COMMENT 'Record name without its namespace; empty where undecodable',
    identity      UInt64 COMMENT 'Hash of customer and event (outcome) id: equal means published again; 0 for other kinds',
    occurred_at   DateTime64(3, 'UTC') COMMENT 'Event time; the tick''s time; else recorded_at' CODEC(Delta, ZSTD),
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp' CODEC(Delta, ZSTD),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (log_epoch, log_partition, log_offset)
TTL stored_at + INTERVAL 7 DAY DELETE WHERE kind = 'tick', stored_at + INTERVAL 5 YEAR
COMMENT 'One narrow row for every record of customer-events: what was published, and the accounting. Kept 5 years, ticks 7 days.';

CREATE TABLE IF NOT EXISTS events_raw (
    event_id      String COMMENT 'Given by the producer',
    event_type    LowCardinality(String) COMMENT 'Record name without its namespace, e.g. Call',
    use_case      LowCardinality(String) COMMENT 'Namespace of the record, e.g. telecom',
    customer_id   String,
    occurred_at   DateTime64(3, 'UTC') COMMENT 'Event time',
    source        LowCardinality(String) COMMENT 'System it comes from',
    numbers       Map(LowCardinality(String), Float64) COMMENT 'Numeric and boolean fields; nested ones as outer.inner',
    texts         Map(LowCardinality(String), String) COMMENT 'Text fields; lists as JSON, bytes as hex, integers beyond 2^53 in digits',
    log_epoch     Int64,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (toDate32(occurred_at), customer_id, event_id)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Events of the use case, each once however often it was published. Kept 5 years.';

CREATE TABLE IF NOT EXISTS outcomes_raw (
    outcome_id    String,
    customer_id   String,
    target        LowCardinality(String),
    prediction_id String COMMENT 'The prediction it answers; empty: every open question of the customer and target',
    occurred_at   DateTime64(3, 'UTC') COMMENT 'Event time at which it became true',
    value         Float64 COMMENT '1 or 0, or the amount',
    source        LowCardinality(String),
    log_epoch     Int64,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (toDate32(occurred_at), customer_id, outcome_id)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Outcomes told explicitly. Kept 5 years.';

CREATE TABLE IF NOT EXISTS controls_raw (
    topic           LowCardinality(String) COMMENT 'customer-events or labelled-examples',
    log_epoch       Int64,
    log_partition   Int32,
    log_offset      Int64,
    record          LowCardinality(String) COMMENT 'Switch, Deployment, ...',
    target          LowCardinality(String) COMMENT 'Empty where it concerns none',
    arm             LowCardinality(String) COMMENT 'Empty where it concerns none',
    version         String COMMENT 'Switch: the model version served from here on',
    command         Int64 COMMENT 'Switch: number of the command, 0 for the regular cadence',
    examples_offset Int64 COMMENT 'Switch: offset of the last example learnt; -1 elsewhere',
    deployment_id   LowCardinality(String) COMMENT 'Deployment: its id',
    body            String COMMENT 'The whole record as JSON, bytes as hex' CODEC(ZSTD(3)),
    recorded_at     DateTime64(3, 'UTC') COMMENT 'Kafka timestamp'
) ENGINE = ReplacingMergeTree
ORDER BY (topic, log_epoch, log_partition, log_offset)
COMMENT 'Switches, deployments and other control records, one row per copy (each lies in every partition). Kept for ever.';

CREATE TABLE IF NOT EXISTS predictions_raw (
    prediction_id   String,
    target          LowCardinality(String),
    customer_id     String,
    asked_at        DateTime64(3, 'UTC') COMMENT 'Customer''s clock when asked, event time',
    asked_by        LowCardinality(String) COMMENT 'Event type that asked, or schedule',
    value           Float64 COMMENT 'The champion''s answer: probability or amount',
    champion        LowCardinality(String) COMMENT 'Arm whose answer is the value',
    arms            Array(LowCardinality(String)) COMMENT 'Arms that answered; versions, answers and fallbacks go with it',
    versions        Array(LowCardinality(String)) COMMENT 'Model version per arm, target/arm.lineage@offset',
    answers         Array(Float64) COMMENT 'Answer per arm',
    fallbacks       Array(Bool) COMMENT 'Per arm: whether the version before answered',
    vector          Array(Float64) COMMENT 'Features in the order of the deployment; NaN is unknown',
    reason_features Array(LowCardinality(String)) COMMENT 'Top contributions, strongest first',
    reason_values   Array(Float64) COMMENT 'Signed, in log-odds or the amount''s unit',
    observed        Bool COMMENT 'Whether an outcome is awaited',
    horizon_end     Nullable(DateTime64(3, 'UTC')) COMMENT 'When the outcome is known at the latest, event time',
    deployment_id   LowCardinality(String),
    source_epoch    Int64,
    source_partition Int32,
    source_offset   Int64,
    source_ordinal  Int32,
    log_partition   Int32,
    log_offset      Int64,
    served_at       DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the prediction',
    keep            UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at       DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(asked_at)
ORDER BY (target, toDate32(asked_at), customer_id, prediction_id)
TTL stored_at + INTERVAL 2 YEAR
COMMENT 'One row per question, with every arm''s answer. Kept 2 years.';

CREATE TABLE IF NOT EXISTS labelled_examples_raw (
    example_id    String,
    prediction_id String,
    target        LowCardinality(String),
    customer_id   String,
    asked_at      DateTime64(3, 'UTC') COMMENT 'Event time of the question',
    arms          Array(LowCardinality(String)) COMMENT 'Arms that answered; versions, answers and fallbacks go with it',
    versions      Array(LowCardinality(String)),
    answers       Array(Float64),
    fallbacks     Array(Bool),
    vector        Array(Float64) COMMENT 'Features as served',
    label         Float64 COMMENT '1 or 0, or the amount',
    outcome_at    DateTime64(3, 'UTC') COMMENT 'Event time at which the outcome became known',
    settled_by    LowCardinality(String) COMMENT 'event, absence, amount, outcome or default',
    deployment_id LowCardinality(String),
    previous      String COMMENT 'example_id before this one of the same target and source partition; empty for the first',
    source_epoch  Int64,
    source_partition Int32,
    source_offset Int64,
    source_ordinal Int32,
    log_partition Int32,
    log_offset    Int64 COMMENT 'What the offset in a model version refers to',
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(outcome_at)
ORDER BY (target, toDate32(outcome_at), example_id)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Settled questions with what was served: what the models learn. Kept 5 years.';

CREATE TABLE IF NOT EXISTS progress_raw (
    topic            LowCardinality(String) COMMENT 'predictions or labelled-examples',
    log_epoch        Int64,
    log_partition    Int32 COMMENT 'Partition of that topic',
    source_partition Int32 COMMENT 'Partition of customer-events whose time passed',
    watermark        DateTime64(3, 'UTC') COMMENT 'Nothing older follows',
    tick             DateTime64(3, 'UTC') COMMENT 'Last tick',
    opened           Map(LowCardinality(String), Int64) COMMENT 'Observations opened so far, per target',
    settled          Map(LowCardinality(String), Int64) COMMENT 'Observations settled so far, per target',
    log_offset       Int64,
    recorded_at      DateTime64(3, 'UTC') COMMENT 'Kafka timestamp'
) ENGINE = ReplacingMergeTree(log_offset)
ORDER BY (topic, log_epoch, log_partition, source_partition)
COMMENT 'The latest progress of each source partition, as each topic tells it. Older ones are replaced.';

CREATE TABLE IF NOT EXISTS model_metrics_raw (
    metric_id     String,
    target        LowCardinality(String),
    arm           LowCardinality(String),
    role          LowCardinality(String) COMMENT 'champion, challenger, shadow or naive',
    span          LowCardinality(String) COMMENT 'total: since the start; recent: the last examples',
    count         Int64 COMMENT 'Examples judged in the span',
    examples      Int64 COMMENT 'Examples judged since the start',
    values        Map(LowCardinality(String), Float64) COMMENT 'log_loss, roc_auc, accuracy; mae, rmse, bias',
    matured       Float64 COMMENT 'Share of the observations opened that are settled; NaN while unknown',
    until         DateTime64(3, 'UTC') COMMENT 'Latest outcome time judged, event time',
    source_epoch  Int64,
    source_partition Int32,
    source_offset Int64,
    source_ordinal Int32,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(until)
ORDER BY (target, arm, span, source_epoch, source_partition, metric_id)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Quality of every arm over time, prequential with the true label delay. Kept 5 years.';

CREATE TABLE IF NOT EXISTS drift_alerts_raw (
    alert_id      String,
    state         LowCardinality(String) COMMENT 'open or closed',
    kind          LowCardinality(String) COMMENT 'loss, feature or answer',
    target        LowCardinality(String) COMMENT 'Empty where it concerns none',
    arm           LowCardinality(String) COMMENT 'Empty where it concerns none',
    feature       LowCardinality(String) COMMENT 'Empty where it concerns none',
    statistic     LowCardinality(String) COMMENT 'adwin, psi or ks',
    value         Float64 COMMENT 'Value of the statistic',
    threshold     Float64 COMMENT 'It alerts above this',
    severity      LowCardinality(String) COMMENT 'warning or critical',
    window_from   DateTime64(3, 'UTC') COMMENT 'Start of the window compared, event time',
    window_to     DateTime64(3, 'UTC') COMMENT 'End of it, exclusive',
    evidence      Map(LowCardinality(String), Float64) COMMENT 'Numbers behind it',
    message       String COMMENT 'One sentence for a person',
    source_topic  LowCardinality(String),
    source_epoch  Int64,
    source_partition Int32,
    source_offset Int64,
    source_ordinal Int32,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
ORDER BY (alert_id, state)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Alerts: one row when opened, one when closed. Kept 5 years.';

CREATE TABLE IF NOT EXISTS feature_profiles_raw (
    profile_id    String,
    name          LowCardinality(String) COMMENT 'Feature, or target where it is about the answers',
    kind          LowCardinality(String) COMMENT 'feature or answer',
    partition     Nullable(Int32) COMMENT 'Source partition of a partial profile; NULL in a merged one',
    reference     Bool COMMENT 'Whether the window became part of the reference',
    window_from   DateTime64(3, 'UTC') COMMENT 'Start of the window, event time',
    window_to     DateTime64(3, 'UTC') COMMENT 'End of it, exclusive',
    watermark     DateTime64(3, 'UTC'),
    total         Int64 COMMENT 'Values in the window, unknown ones included',
    missing       Int64 COMMENT 'Unknown values',
    sum           Float64 COMMENT 'Sum of the known values',
    buckets       Array(Int32) COMMENT 'Buckets of the histogram sketch (streams/drift)',
    counts        Array(Int64) COMMENT 'Values per bucket',
    psi           Nullable(Float64) COMMENT 'Population stability index against the reference',
    ks            Nullable(Float64) COMMENT 'Kolmogorov-Smirnov distance to the reference',
    source_epoch  Int64,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(window_from)
ORDER BY (kind, name, window_from, profile_id)
TTL stored_at + INTERVAL 90 DAY DELETE WHERE isNotNull(partition), stored_at + INTERVAL 5 YEAR
COMMENT 'Distribution of a feature or of a target''s answers in a window. Merged profiles are kept 5 years, partial ones 90 days.';

CREATE TABLE IF NOT EXISTS late_events_raw (
    event_type    LowCardinality(String) COMMENT 'Record name, as in the late event',
    event_id      String,
    customer_id   String,
    occurred_at   DateTime64(3, 'UTC') COMMENT 'Event time',
    watermark     DateTime64(3, 'UTC') COMMENT 'Watermark it missed',
    value         String COMMENT 'The original record value, bytes' CODEC(ZSTD(3)),
    source_topic  LowCardinality(String),
    source_epoch  Int64,
    source_partition Int32,
    source_offset Int64,
    source_ordinal Int32,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (source_epoch, source_partition, source_offset, source_ordinal)
TTL stored_at + INTERVAL 1 YEAR
COMMENT 'Events older than the watermark: counted, never part of the state. Kept 1 year.';

CREATE TABLE IF NOT EXISTS dead_letters_raw (
    reason        LowCardinality(String) COMMENT 'Short code',
    detail        String COMMENT 'What is wrong and what to do',
    key           Nullable(String) COMMENT 'Original key, bytes',
    value         Nullable(String) COMMENT 'Original value, bytes' CODEC(ZSTD(3)),
    sent_at       DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the original',
    source_topic  LowCardinality(String),
    source_epoch  Int64,
    source_partition Int32,
    source_offset Int64,
    source_ordinal Int32,
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the dead letter',
    keep          UInt64 MATERIALIZED bitNot(toUInt64(log_offset)),
    stored_at     DateTime MATERIALIZED now()
) ENGINE = ReplacingMergeTree(keep)
PARTITION BY toYYYYMM(sent_at)
ORDER BY (source_topic, source_epoch, source_partition, source_offset, source_ordinal)
TTL stored_at + INTERVAL 1 YEAR
COMMENT 'Records that could not be processed, as they were. Kept 1 year.';

CREATE TABLE IF NOT EXISTS positions_raw (
    stage         LowCardinality(String) COMMENT 'Who reads: history',
    topic         LowCardinality(String),
    log_epoch     Int64,
    log_partition Int32,
    next_offset   Int64 COMMENT 'All before it stands in the tables',
    recorded_at   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the last record written',
    written_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'Server''s clock'
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (stage, topic, log_epoch, log_partition)
COMMENT 'How far the history has come. Written after the rows, so it never runs ahead. Kept for ever.';
