-- What analysts read: one view per table, never a row twice, under the table's name without _raw. Each carries event_time
-- and recorded_at, so that every one can be laid on either clock. The setting is safe because copies of a row
-- always fall into the same partition.

CREATE OR REPLACE VIEW records AS
SELECT *, occurred_at AS event_time FROM records_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW events AS
SELECT *, occurred_at AS event_time FROM events_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW outcomes AS
SELECT *, occurred_at AS event_time FROM outcomes_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW controls AS
SELECT *, recorded_at AS event_time FROM controls_raw FINAL;

CREATE OR REPLACE VIEW predictions AS
SELECT *, asked_at AS event_time, served_at AS recorded_at
FROM predictions_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW labelled_examples AS
SELECT *, outcome_at AS event_time FROM labelled_examples_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW progress AS
SELECT *, tick AS event_time FROM progress_raw FINAL;

CREATE OR REPLACE VIEW model_metrics AS
SELECT *, until AS event_time FROM model_metrics_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW drift_alerts AS
SELECT *, window_to AS event_time FROM drift_alerts_raw FINAL;

CREATE OR REPLACE VIEW feature_profiles AS
SELECT *, window_to AS event_time FROM feature_profiles_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW late_events AS
SELECT *, occurred_at AS event_time FROM late_events_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW dead_letters AS
SELECT *, sent_at AS event_time FROM dead_letters_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW positions AS
SELECT * FROM positions_raw FINAL;

-- One row per question and arm.
CREATE OR REPLACE VIEW answers AS
SELECT prediction_id, target, customer_id, event_time, recorded_at, champion,
       arm, version, answer, fallback, arm = champion AS is_champion
FROM predictions
ARRAY JOIN arms AS arm, versions AS version, answers AS answer, fallbacks AS fallback;

-- The latest quality of every arm: one row per target, arm and span. A metric that does not apply is NULL.
CREATE OR REPLACE VIEW quality AS
SELECT target, arm, role, span, count, examples,
       if(mapContains(values, 'log_loss'), values['log_loss'], NULL) AS log_loss,
       if(mapContains(values, 'roc_auc'), values['roc_auc'], NULL) AS roc_auc,
       if(mapContains(values, 'accuracy'), values['accuracy'], NULL) AS accuracy,
       if(mapContains(values, 'mae'), values['mae'], NULL) AS mae,
       if(mapContains(values, 'rmse'), values['rmse'], NULL) AS rmse,
       if(mapContains(values, 'bias'), values['bias'], NULL) AS bias,
       matured, until, recorded_at
FROM model_metrics
ORDER BY source_epoch DESC, source_offset DESC
LIMIT 1 BY target, arm, span;

-- Alerts that were opened and not closed since.
CREATE OR REPLACE VIEW open_alerts AS
SELECT * FROM drift_alerts
WHERE state = 'open' AND alert_id NOT IN (SELECT alert_id FROM drift_alerts WHERE state = 'closed');

-- The version that serves each target and arm, since when, and in how many partitions it was switched to.
CREATE OR REPLACE VIEW serving AS
SELECT target, arm, version, command, examples_offset, log_epoch,
       min(recorded_at) AS since, uniqExact(log_partition) AS partitions
FROM controls
WHERE record = 'Switch'
GROUP BY target, arm, version, command, examples_offset, log_epoch
ORDER BY log_epoch DESC, command DESC, examples_offset DESC
LIMIT 1 BY target, arm;

-- published = accepted + duplicate + late + dead, per record name. Controls and ticks are not counted, except as dead letters
-- of their own kind in dead_letters. Records that scoring has not reached yet count as accepted.
CREATE OR REPLACE VIEW accounting AS
SELECT log_epoch, kind, record, count() AS published,
       uniqExactIf(one, fate = 'in') AS accepted,
       countIf(fate = 'in') - accepted AS duplicate,
       countIf(fate = 'late') AS late,
       countIf(fate = 'dead') AS dead
FROM (
    SELECT log_epoch, kind, record, if(identity = 0, cityHash64(log_partition, log_offset), identity) AS one,
           multiIf((log_epoch, log_partition, log_offset) IN
                       (SELECT source_epoch, source_partition, source_offset FROM dead_letters_raw
                        WHERE endsWith(source_topic, 'customer-events')), 'dead',
                   (log_epoch, log_partition, log_offset) IN
                       (SELECT source_epoch, source_partition, source_offset FROM late_events_raw
                        WHERE endsWith(source_topic, 'customer-events')), 'late',
                   'in') AS fate
    FROM records
    WHERE kind IN ('event', 'outcome', 'unknown', 'undecodable')
)
GROUP BY log_epoch, kind, record
ORDER BY log_epoch, kind, record;
