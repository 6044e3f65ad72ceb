"""The reference job with explicit outcomes, so that the number of labels is known: an outcome record names each
question that is learnt. Features, questions and models are those of usecase.py."""

from load.reference.use_case.usecase import ARMS, ASK, FEATURES
from streams.usecases import ExplicitOutcome, Target, UseCase

WITHIN = "2h"
"""Outcomes come within the hour. After two hours a question without an outcome is dropped."""

USE_CASE = UseCase(
    "reference",
    features=FEATURES,
    targets=tuple(
        Target(name, ask=ASK, outcome=ExplicitOutcome(WITHIN), arms=ARMS, serve_every=500)
        for name in ("top_up", "silence")
    ),
    clock="external",
)
