"""One half hour of the New South Wales electricity market (Elec2): a question per row, and its outcome right after."""

from streams.usecases import Arm, Ask, ExplicitOutcome, Last, Logistic, Target, UseCase

COLUMNS = (
    "date",
    "day",
    "period",
    "nswprice",
    "nswdemand",
    "vicprice",
    "vicdemand",
    "transfer",
)

USE_CASE = UseCase(
    name="elec2",
    clock="external",
    max_ahead="36500d",
    features=tuple(Last(column, of="HalfHour", field=column) for column in COLUMNS),
    targets=(
        Target(
            "label",
            kind="binary",
            ask=Ask(on=("HalfHour",)),
            outcome=ExplicitOutcome(),
            arms=(Arm("logistic", Logistic(robust=False), role="champion"),),
            serve_every=1,
        ),
    ),
)
