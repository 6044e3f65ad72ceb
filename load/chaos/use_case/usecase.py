"""A small shop that uses all kinds of features, outcomes and models, and so everything that keeps state."""

from streams.usecases import (
    AbsenceOf,
    AdaptiveForest,
    AmountOver,
    Arm,
    Ask,
    Count,
    DistinctCount,
    EventWithin,
    ExplicitOutcome,
    HoeffdingTree,
    Last,
    Linear,
    Logistic,
    Mean,
    PriorRate,
    Sum,
    Target,
    TimeSince,
    UseCase,
)

FEATURES = (
    Count("visits_1d", of="Visit", over="24h"),
    Count("visits_7d", of="Visit", over="7d"),
    DistinctCount("pages_7d", of="Visit", field="page", over="7d", cap=8),
    Mean("mean_seconds_7d", of="Visit", field="seconds", over="7d"),
    Sum("spend_7d", of="Order", field="amount_cents", over="7d", scale=0.01),
    Last("last_amount", of="Order", field="amount_cents", scale=0.01),
    TimeSince("days_since_order", of="Order"),
)

BUYS = Target(
    "buys",
    ask=Ask(on=("Visit",)),
    outcome=EventWithin("Order", over="1d", settle="at_once"),
    arms=(Arm("logistic", Logistic(), role="champion"), Arm("tree", HoeffdingTree())),
    observe=0.5,
    serve_every=200,
)

SPEND = Target(
    "spend",
    kind="regression",
    ask=Ask(every="2d"),
    outcome=AmountOver("Order", field="amount_cents", over="3d", scale=0.01),
    arms=(Arm("linear", Linear(learning_rate=0.001, clip_gradient=100.0), role="champion"),),
    serve_every=100,
)

LEAVES = Target(
    "leaves",
    ask=Ask(on=("Order",), every="3d"),
    outcome=AbsenceOf("Visit", over="3d", settle="at_horizon"),
    arms=(Arm("prior", PriorRate(), role="champion"),),
    serve_every=100,
)

LIKES = Target(
    "likes",
    ask=Ask(on=("Order",)),
    outcome=ExplicitOutcome(within="2d", default=0.0),
    arms=(Arm("logistic", Logistic(), role="champion"), Arm("forest", AdaptiveForest(trees=3))),
    serve_every=50,
)

USE_CASE = UseCase(
    "chaos",
    features=FEATURES,
    targets=(BUYS, SPEND, LEAVES, LIKES),
    clock="external",
    profile_window="2d",
    reference_windows=3,
)
