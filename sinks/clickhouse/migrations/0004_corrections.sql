-- Outcomes that came after their prediction was settled and say otherwise. Models learn them only where the target
-- says so (learn_corrections): as one more example, settled by "correction".
-- Only outcomes that name their prediction can be told to correct it.

CREATE OR REPLACE VIEW corrections AS
SELECT e.prediction_id AS prediction_id, e.target AS target, e.customer_id AS customer_id, e.example_id AS example_id,
       e.label AS label, e.settled_by AS settled_by, o.value AS corrected, o.outcome_id AS outcome_id,
       o.source AS source, o.occurred_at AS event_time, o.recorded_at AS recorded_at
FROM labelled_examples AS e
INNER JOIN (SELECT * FROM outcomes WHERE prediction_id != '') AS o
    ON o.prediction_id = e.prediction_id AND o.target = e.target AND o.customer_id = e.customer_id
WHERE o.value != e.label
  AND o.log_epoch = e.source_epoch AND o.log_partition = e.source_partition AND o.log_offset > e.source_offset
ORDER BY recorded_at, o.log_offset;
