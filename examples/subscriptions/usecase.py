"""A subscription service: whose next charge will fail, so that somebody can ask for another card in time?"""

from streams.usecases import (
    Arm,
    Ask,
    Count,
    DistinctCount,
    EventWithin,
    Last,
    Logistic,
    PriorRate,
    Ratio,
    Target,
    UseCase,
)

FAILED = {"failed": True}

# What is known of a customer at any moment, in this order.
FEATURES = (
    Count("charges", of="Charge"),  # without a window: since the first event
    Count("failures", of="Charge", where=FAILED),
    Ratio("failure_share", "failures", "charges"),
    Count("failures_13w", of="Charge", over="13w", where=FAILED),
    Last("price", of="Charge", field="amount_cents", scale=0.01),  # cents in, euros out
    DistinctCount("plans", of="Charge", field="plan"),
)

PAYMENT_FAILS = Target(
    "payment_fails",
    ask=Ask(on=("Charge",)),  # each charge asks about the next one, which comes within 31 days
    outcome=EventWithin("Charge", over="32d", where=FAILED, settle="at_horizon"),
    arms=(
        Arm("logistic", Logistic(), role="champion"),  # its answer is the prediction
        Arm("prior_rate", PriorRate(), role="naive"),  # what it must beat
    ),
    serve_every=20,  # labelled examples from one served version to the next
)

USE_CASE = UseCase(
    "subscriptions",  # also the namespace of the schemas
    features=FEATURES,
    targets=(PAYMENT_FAILS,),
    clock="external",  # the file tells the time; "wall" for live events
    allowed_lateness="1d",  # how far an event may trail the others
)
