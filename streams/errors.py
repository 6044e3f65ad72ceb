"""Errors that carry their remedy, and the reasons for which a record becomes a dead letter."""

import re
from enum import StrEnum

_SECRET = re.compile(r"(?<=://)(?:[^\s/@:]*:(?!\d+(?:[/?#]|$))\S*|[^\s/@:]+)@")
"""User and password of a URL. What follows a host may hold an @ as well: a port tells them apart."""


def without_credentials(text: str) -> str:
    """Return a text whose URLs name no user and no password. All errors and logs go through it."""
    return _SECRET.sub("…@", text)


class TidecastError(Exception):
    """Base of all errors that a person sees: the message says what is wrong and what to do."""

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))


class DeclarationError(TidecastError):
    """A declaration of a use case is wrong. The message names the declaration, the field and the remedy."""


class SettingError(TidecastError):
    """A setting is wrong or missing."""


class DeploymentMismatch(TidecastError):
    """The log's deployment is not the one that this worker was started with."""


class KeyMissing(DeploymentMismatch):
    """The log is signed from here on with a key that this process lacks."""


class Unavailable(TidecastError):
    """A server or store does not answer now. Wait and try again; nothing is lost."""


class NoSnapshot(Unavailable):
    """The model store answers, but a snapshot that a switch names is missing, or is another one."""


class PositionConflict(TidecastError):
    """Another owner committed meanwhile: drop cached and pending state, reload, continue if still assigned."""


class LogGap(TidecastError):
    """A record that must exist is missing: the log was cut, or a predecessor is missing."""


class DeadReason(StrEnum):
    """Why a record cannot be processed."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_TYPE = "wrong_type"
    MISSING_CUSTOMER = "missing_customer"
    WRONG_KEY = "wrong_key"
    NOT_FINITE = "not_finite"
    FAR_FUTURE = "far_future"
    TOO_LARGE = "too_large"
    UNKNOWN_TARGET = "unknown_target"
    CONFLICTING_ID = "conflicting_id"
    BAD_CONTROL = "bad_control"
    FAILED = "failed"


class Undecodable(TidecastError):
    """The bytes are not a readable record. They become a dead letter with this reason."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
