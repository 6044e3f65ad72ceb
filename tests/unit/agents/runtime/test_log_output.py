import logging
import subprocess
import sys

from agents.runtime.log_output import MANY, QUIET_S, Repetitions

RUNNER, WORKER = "agents.runtime.stage_runner", "agents.runtime.worker"
CLOSED = "Unable connect to node with id 1: closed"


class Log:
    """The output of a filter for messages at given times (s). A suppressed message gives None."""

    def __init__(self) -> None:
        self.filter = Repetitions()

    def tell(self, at: float, name: str, message: str, *args: object, level: int = logging.WARNING) -> str | None:
        return self.log(logging.LogRecord(name, level, "", 0, message, args, None), at)

    def raised(self, at: float, name: str, message: str, error: Exception) -> str | None:
        return self.log(logging.LogRecord(name, 40, "", 0, message, (), (type(error), error, None)), at)

    def log(self, record: logging.LogRecord, at: float) -> str | None:
        record.created = at
        return record.getMessage() if self.filter.filter(record) else None


def test_an_equal_message_comes_once_in_thirty_seconds_and_then_with_its_count() -> None:
    log = Log()
    assert log.tell(0, RUNNER, "%s waits", "scoring") == "scoring waits"
    assert [log.tell(at, RUNNER, "%s waits", "scoring") for at in (0.1, 10, QUIET_S - 0.1)] == [None] * 3
    assert log.tell(QUIET_S, RUNNER, "%s waits", "scoring") == (
        "scoring waits (3 more like it since the last one shown)"
    )
    assert log.tell(2 * QUIET_S, RUNNER, "%s waits", "scoring") == "scoring waits"


def test_others_pass() -> None:
    log = Log()
    assert log.tell(0, RUNNER, "%s waits", "scoring")
    assert log.tell(0, RUNNER, "%s waits", "learning")
    assert log.tell(0, WORKER, "%s waits", "scoring")
    assert log.tell(0, RUNNER, "%s waits", "scoring", level=logging.ERROR)
    assert [log.tell(0, RUNNER, "said for people", level=logging.INFO) for _ in range(3)].count(None) == 0


def test_a_chatty_library_has_one_message_per_level() -> None:
    log = Log()
    assert log.tell(0, "aiokafka", CLOSED, level=logging.ERROR) == CLOSED
    assert log.tell(1, "aiokafka.consumer.fetcher", "Failed fetch", level=logging.ERROR) is None
    assert log.tell(1, "aiokafka", "Marking dead") == "Marking dead"
    assert log.tell(QUIET_S, "aiokafka", "Unable to update", level=logging.ERROR) == (
        "Unable to update (1 more like it since the last one shown)"
    )


def test_an_exception_hides_only_its_equals() -> None:
    log = Log()
    assert log.tell(0, "aiokafka", CLOSED, level=logging.ERROR)
    assert log.raised(0, "aiokafka", "crashed", ValueError("a"))
    assert log.raised(0, "aiokafka", "crashed", ValueError("b"))
    assert log.raised(0, "aiokafka", "crashed", ValueError("b")) is None


def test_what_is_remembered_is_bounded() -> None:
    log = Log()
    for number in range(20 * MANY):
        log.tell(number, "agents", f"message {number}")
    assert len(log.filter._shown) <= MANY


def test_a_worker_logs_so() -> None:
    code = """
import logging
from agents.runtime import log_output
from agents.runtime.log_output import log_to_stderr
log_output.QUIET_S = 1e9
log_to_stderr("WARNING", "scoring")
for number in range(1000):
    logging.getLogger("aiokafka.conn").error("no %d", number)
    logging.getLogger("agents").info("detail")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split(" ", 2)[2] for line in done.stderr.splitlines()] == ["scoring ERROR aiokafka.conn: no 0"]
