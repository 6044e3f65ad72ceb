"""The reference job of the benchmark: 20 features over hourly and daily tiles, two targets with a question on every
event."""

from streams.usecases import AbsenceOf, Arm, Ask, Count, EventWithin, Logistic, Sum, Target, TimeSince, UseCase

TYPES = ("call", "sms", "data", "topup")
FEATURES: tuple[Count | Sum | TimeSince, ...] = (
    *(Count(f"{t}_count_24h", of="Activity", over="24h", where={"type": t}) for t in TYPES),
    *(Sum(f"{t}_sum_24h", of="Activity", field="amount", over="24h", where={"type": t}) for t in TYPES),
    *(Count(f"{t}_count_7d", of="Activity", over="7d", where={"type": t}) for t in TYPES),
    *(Sum(f"{t}_sum_7d", of="Activity", field="amount", over="7d", where={"type": t}) for t in TYPES),
    *(TimeSince(f"days_since_{t}", of="Activity", where={"type": t}) for t in TYPES),
)
ASK = Ask(on=("Activity",))
ARMS = (Arm("logistic", Logistic(robust=False), role="champion"),)

USE_CASE = UseCase(
    "reference",
    features=FEATURES,
    targets=(
        Target(
            "top_up",
            ask=ASK,
            outcome=EventWithin("Activity", over="1d", where={"type": "topup"}, settle="at_once"),
            arms=ARMS,
            observe=0.1,
            serve_every=1000,
        ),
        Target(
            "silence",
            ask=ASK,
            outcome=AbsenceOf("Activity", over="1d", settle="at_once"),
            arms=ARMS,
            observe=0.1,
            serve_every=1000,
        ),
    ),
    clock="external",
)
