"""All metrics of the workers; each name states its unit."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("tidecast_records_total", "Records processed.", ["stage", "topic"])
OUTPUTS = Counter("tidecast_outputs_total", "Records produced.", ["stage", "topic"])
SLICES = Counter("tidecast_slices_total", "Slices committed.", ["stage"])
RETRIES = Counter("tidecast_retries_total", "Batches that were started again.", ["stage", "reason"])
DEAD_LETTERS = Counter("tidecast_dead_letters_total", "Dead letters, counted when committed.", ["stage", "reason"])
LATE_EVENTS = Counter("tidecast_late_events_total", "Late events, counted when committed.", ["stage"])
QUESTIONS = Counter("tidecast_questions_total", "Questions answered, counted when committed.", ["target"])
FALLBACKS = Counter(
    "tidecast_fallback_answers_total",
    "Answers that the version switched to did not give, counted when committed; reason untrained: there is none yet.",
    ["target", "arm", "reason"],
)
STEP_SECONDS = Histogram(
    "tidecast_step_seconds",
    "Duration of a slice's steps: compute, produce (until all acks), commit.",
    ["stage", "step"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
POSITION = Gauge("tidecast_position_offset", "Next offset, by the last commit.", ["stage", "topic", "partition"])
LAG = Gauge(
    "tidecast_lag_records",
    "Records between what is processed and the end of the log, of the partitions owned.",
    ["stage", "topic", "partition"],
)
FINDINGS = Gauge("tidecast_findings", "What was found wrong with the servers and topics.", ["question", "severity"])
FOREIGN_RECORDS = Gauge(
    "tidecast_foreign_partition_records", "Records in partitions that were not deployed, which are ignored.", ["topic"]
)
HEALTHY = Gauge("tidecast_healthy", "1 when the stage works, 0 while it waits for something.", ["stage"])
CLOCK_SKEW = Gauge(
    "tidecast_clock_skew_seconds",
    "Time by which this machine's clock is certainly ahead of a server's; negative behind.",
    ["server"],
)
TICK_AGE = Gauge(
    "tidecast_tick_age_seconds", "Time since the last tick of an owned partition (wall clock).", ["partition"]
)
PAUSED = Gauge("tidecast_paused", "1 where the time of an owned partition stands still (wall clock).", ["partition"])
SILENCE = Gauge("tidecast_silence_seconds", "Time for which no partition has had an event (wall clock).")
