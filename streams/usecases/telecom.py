"""A prepaid telecom: who will leave within two weeks, and what will they spend next month?"""

from streams.usecases import (
    AmountOver,
    Arm,
    Ask,
    Attribute,
    Count,
    DistinctCount,
    EventWithin,
    HoeffdingTree,
    Last,
    LastValue,
    Linear,
    Logistic,
    Mean,
    PriorRate,
    Ratio,
    Sum,
    Target,
    TimeSince,
    UseCase,
)

FEATURES = (
    Count("calls_7d", of="Call", over="7d"),
    Count("calls_30d", of="Call", over="30d"),
    Ratio("calls_trend", "calls_7d", "calls_30d"),
    Count("incoming_30d", of="Call", over="30d", where={"direction": "in"}),
    Sum("minutes_7d", of="Call", field="minutes", over="7d"),
    Sum("minutes_30d", of="Call", field="minutes", over="30d"),
    DistinctCount("cells_30d", of="Call", field="cell", over="30d", cap=16),
    Sum("megabytes_7d", of="DataUse", field="megabytes", over="7d"),
    Sum("megabytes_30d", of="DataUse", field="megabytes", over="30d"),
    Ratio("data_trend", "megabytes_7d", "megabytes_30d"),
    Count("top_ups_30d", of="TopUp", over="30d"),
    Sum("spend_30d", of="TopUp", field="amount_cents", over="30d", scale=0.01),
    Mean("mean_top_up_30d", of="TopUp", field="amount_cents", over="30d", scale=0.01),
    Last("last_top_up", of="TopUp", field="amount_cents", scale=0.01),
    Count("complaints_30d", of="Complaint", over="30d"),
    Count("network_complaints_90d", of="Complaint", over="90d", where={"topic": "network"}),
    TimeSince("days_since_call", of="Call"),
    TimeSince("days_since_use", of=("Call", "DataUse")),
    TimeSince("days_since_top_up", of="TopUp"),
    TimeSince("days_since_complaint", of="Complaint"),
    Attribute("age", of="Profile", field="age"),
    Attribute("prepaid", of="Profile", field="plan", equals="prepaid"),
)

CHURN = Target(
    "churn",
    ask=Ask(on=("Complaint",), every="7d", until=("Cancellation",)),
    outcome=EventWithin("Cancellation", over="14d", settle="at_horizon"),
    arms=(
        Arm("logistic", Logistic(), role="champion"),
        Arm("tree", HoeffdingTree(), role="challenger"),
        Arm("prior_rate", PriorRate(), role="naive"),
        Arm("recency", Logistic(features=("days_since_use",)), role="naive"),
    ),
    serve_every=200,
)

SPEND = Target(
    "spend",
    kind="regression",
    ask=Ask(every="30d", until=("Cancellation",)),
    outcome=AmountOver("TopUp", field="amount_cents", over="30d", scale=0.01),
    # Rare events make rare, huge values of a standardized feature, which a squared loss does not forgive.
    features=(
        "calls_30d",
        "megabytes_30d",
        "top_ups_30d",
        "spend_30d",
        "mean_top_up_30d",
        "last_top_up",
        "days_since_top_up",
        "age",
        "prepaid",
    ),
    arms=(
        Arm("linear", Linear(), role="champion"),
        Arm("tree", HoeffdingTree(), role="shadow"),
        Arm("prior_rate", PriorRate(), role="naive"),
        Arm("last_month", LastValue("spend_30d"), role="naive"),
    ),
    serve_every=200,
)

USE_CASE = UseCase(
    "telecom",
    features=FEATURES,
    targets=(CHURN, SPEND),
    clock="external",
    profile_window="7d",
    warm_up_windows=6,
    reference_windows=4,
)
