-- What was set aside, hour by hour of when it was: how much, why, and for late events by how much.

CREATE OR REPLACE VIEW dead_letters_by_reason AS
SELECT toStartOfHour(recorded_at) AS hour, reason, count() AS count,
       uniqExact(source_partition) AS partitions, any(detail) AS example
FROM dead_letters
GROUP BY hour, reason
ORDER BY hour, reason;

CREATE OR REPLACE VIEW late_events_by_hour AS
SELECT toStartOfHour(recorded_at) AS hour, event_type, count() AS count,
       quantileExact(0.5)(dateDiff('second', occurred_at, watermark)) AS median_lateness_s,
       max(dateDiff('second', occurred_at, watermark)) AS most_lateness_s
FROM late_events
GROUP BY hour, event_type
ORDER BY hour, event_type;
