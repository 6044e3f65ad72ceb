"""A shop without contracts: silence is how customers leave. Churn and spend over the next 13 weeks."""

from streams.usecases import (
    AbsenceOf,
    AmountOver,
    Arm,
    Ask,
    Count,
    Last,
    LastValue,
    Linear,
    Logistic,
    Max,
    Mean,
    PriorRate,
    Ratio,
    Sum,
    Target,
    TimeSince,
    UseCase,
)

FEATURES = (
    Count("purchases_4w", of="Purchase", over="4w"),
    Count("purchases_13w", of="Purchase", over="13w"),
    Count("purchases_26w", of="Purchase", over="26w"),
    Count("purchases", of="Purchase"),
    Ratio("purchases_trend", "purchases_13w", "purchases"),
    Sum("items_13w", of="Purchase", field="items", over="13w"),
    Sum("spend_13w", of="Purchase", field="amount_cents", over="13w", scale=0.01),
    Sum("spend", of="Purchase", field="amount_cents", scale=0.01),
    Mean("mean_amount", of="Purchase", field="amount_cents", scale=0.01),
    Max("largest_amount", of="Purchase", field="amount_cents", scale=0.01),
    Last("last_amount", of="Purchase", field="amount_cents", scale=0.01),
    TimeSince("days_since_purchase", of="Purchase"),
)

ASK = Ask(on=("Purchase",), every="30d")

CHURN = Target(
    "churn",
    ask=ASK,
    outcome=AbsenceOf("Purchase", over="13w", settle="at_horizon"),
    arms=(
        Arm("logistic", Logistic(), role="champion"),
        Arm("prior_rate", PriorRate(), role="naive"),
        Arm("recency", Logistic(features=("days_since_purchase",)), role="naive"),
    ),
    serve_every=200,
)

SPEND = Target(
    "spend",
    kind="regression",
    ask=ASK,
    outcome=AmountOver("Purchase", field="amount_cents", over="13w", scale=0.01),
    arms=(
        Arm("linear", Linear(learning_rate=0.001, clip_gradient=100.0), role="champion"),
        Arm("prior_rate", PriorRate(), role="naive"),
        Arm("last_quarter", LastValue("spend_13w"), role="naive"),
    ),
    serve_every=200,
)

USE_CASE = UseCase(
    "retail",
    features=FEATURES,
    targets=(CHURN, SPEND),
    clock="external",
    profile_window="4w",
    reference_windows=3,
)
