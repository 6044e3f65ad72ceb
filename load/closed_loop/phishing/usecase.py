"""One web site of River's Phishing data set: a question per row, and its outcome right after."""

from streams.usecases import Arm, Ask, ExplicitOutcome, Last, Logistic, Target, UseCase

COLUMNS = (
    "empty_server_form_handler",
    "popup_window",
    "https",
    "request_from_other_domain",
    "anchor_from_other_domain",
    "is_popular",
    "long_url",
    "age_of_domain",
    "ip_in_url",
)

USE_CASE = UseCase(
    name="phishing",
    clock="external",
    max_ahead="36500d",
    features=tuple(Last(column, of="Site", field=column) for column in COLUMNS),
    targets=(
        Target(
            "label",
            kind="binary",
            ask=Ask(on=("Site",)),
            outcome=ExplicitOutcome(),
            arms=(Arm("logistic", Logistic(robust=False), role="champion"),),
            serve_every=1,
        ),
    ),
)
