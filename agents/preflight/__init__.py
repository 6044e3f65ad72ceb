"""Can every stage go on from here? One table of checks, for `deploy`, worker start, `status` and running workers."""

from agents.preflight.checks import CHECKS, PreflightCheck, ask, refuse
from agents.preflight.finding import PreflightFinding, Severity
from agents.preflight.situation import Moment, Situation

__all__ = ["CHECKS", "Moment", "PreflightCheck", "PreflightFinding", "Severity", "Situation", "ask", "refuse"]
