-- An event is known by its kind and id: an order and its return may share one. The table of before merged them by the id
-- alone, and a key can only be changed by a new table. Its rows are copied, and are kept for 5 years from now on.
-- `events_raw` stays as it was and is written no more: drop it when its space is needed. Rows that it has merged away come
-- back only by reading the log again.

CREATE TABLE IF NOT EXISTS events_by_kind_raw (
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
ORDER BY (toDate32(occurred_at), customer_id, event_id, event_type, use_case)
TTL stored_at + INTERVAL 5 YEAR
COMMENT 'Events of the use case, each once however often it was published. Kept 5 years.';

INSERT INTO events_by_kind_raw
    (event_id, event_type, use_case, customer_id, occurred_at, source, numbers, texts,
     log_epoch, log_partition, log_offset, recorded_at)
SELECT event_id, event_type, use_case, customer_id, occurred_at, source, numbers, texts,
       log_epoch, log_partition, log_offset, recorded_at
FROM events_raw
SETTINGS max_partitions_per_insert_block = 0;

-- Of two contents under one id the first counts, as it does in the customers' states. The other is a dead letter.

CREATE OR REPLACE VIEW events AS
SELECT *, occurred_at AS event_time FROM events_by_kind_raw FINAL
WHERE (log_epoch, log_partition, log_offset) NOT IN
    (SELECT source_epoch, source_partition, source_offset FROM dead_letters_raw
     WHERE reason = 'conflicting_id' AND endsWith(source_topic, 'customer-events'))
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW outcomes AS
SELECT *, occurred_at AS event_time FROM outcomes_raw FINAL
WHERE (log_epoch, log_partition, log_offset) NOT IN
    (SELECT source_epoch, source_partition, source_offset FROM dead_letters_raw
     WHERE reason = 'conflicting_id' AND endsWith(source_topic, 'customer-events'))
SETTINGS do_not_merge_across_partitions_select_final = 1;
