-- Metrics of cohorts: the questions asked in one span of time, once the horizon of all of them is over.

ALTER TABLE model_metrics_raw ADD COLUMN IF NOT EXISTS
    since Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of a cohort, by the time of asking; NULL for other spans';

CREATE OR REPLACE VIEW model_metrics AS
SELECT *, until AS event_time FROM model_metrics_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1;

-- The latest quality of every arm: one row per target, arm and span. A metric that does not apply is NULL.
-- cohort: the latest closed cohort, asked from since to until. total and recent: in the order of settling, where labels
-- that come early and late stand apart. roc_auc_error: by how much a binned AUC may be off.
CREATE OR REPLACE VIEW quality AS
SELECT target, arm, role, span, count, examples,
       if(mapContains(values, 'log_loss'), values['log_loss'], NULL) AS log_loss,
       if(mapContains(values, 'roc_auc'), values['roc_auc'], NULL) AS roc_auc,
       if(mapContains(values, 'roc_auc_error'), values['roc_auc_error'], NULL) AS roc_auc_error,
       if(mapContains(values, 'accuracy'), values['accuracy'], NULL) AS accuracy,
       if(mapContains(values, 'mae'), values['mae'], NULL) AS mae,
       if(mapContains(values, 'rmse'), values['rmse'], NULL) AS rmse,
       if(mapContains(values, 'bias'), values['bias'], NULL) AS bias,
       if(mapContains(values, 'mean_label'), values['mean_label'], NULL) AS mean_label,
       if(mapContains(values, 'untrained'), values['untrained'], NULL) AS untrained,
       matured, since, until, recorded_at
FROM model_metrics
ORDER BY source_epoch DESC, source_offset DESC
LIMIT 1 BY target, arm, span;
