"""The reference job with labels that are told, so that anybody can count them: an outcome record names each question
that is to be learnt from. Features, questions and models are those of usecase.py."""

from load.reference.use_case.usecase import ARMS, ASK, FEATURES
from streams.usecases import ExplicitOutcome, Target, UseCase

WITHIN = "2h"
"""Told within the hour; a question of which nothing is told is then forgotten."""

USE_CASE = UseCase(
    "reference",
    features=FEATURES,
    targets=tuple(
        Target(name, ask=ASK, outcome=ExplicitOutcome(WITHIN), arms=ARMS, serve_every=500)
        for name in ("top_up", "silence")
    ),
    clock="external",
)
