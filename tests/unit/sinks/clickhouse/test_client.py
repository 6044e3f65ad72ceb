"""ClickHouse's error codes map to our errors."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, ProgrammingError

from sinks.clickhouse.client import NoTable, clear_errors
from streams.errors import SettingError, TidecastError, Unavailable

SAID = (
    "Received ClickHouse exception, code: {0}, server response: Code: {0}. DB::Exception: It is so. (NAME) "
    "(version 26.9.2.1) (for url http://h:1)"
)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DatabaseError(SAID.format(516), code=516), SettingError, "TIDECAST_CLICKHOUSE_PASSWORD"),
        (DatabaseError(SAID.format(164), code=164), SettingError, "does not allow"),
        (DatabaseError(SAID.format(60), code=60), NoTable, "tidecast deploy"),
        (DatabaseError(SAID.format(241), code=241), Unavailable, "cannot do that now"),
        (DatabaseError(SAID.format(252), code=252), Unavailable, "cannot do that now"),
        (DatabaseError(SAID.format(62), code=62), TidecastError, r"rejected the statement: It is so. \(NAME\)\.$"),
        (DatabaseError(SAID.format(62)), TidecastError, "rejected the statement: It is so"),
        (OperationalError("Error Timeout executing HTTP request"), Unavailable, "does not answer"),
        (DatabaseError("HTTP driver received HTTP status 503"), Unavailable, "does not answer"),
        (DatabaseError("HTTP driver received HTTP status 401"), SettingError, "refuses the user.*_CLICKHOUSE_PASSWORD"),
        (DatabaseError("HTTP driver received HTTP status 403, server response: x"), SettingError, "refuses the user"),
        (DatabaseError("HTTP driver received HTTP status 404, server response: x"), SettingError, "is not ClickHouse"),
        (OperationalError("[SSL: CERTIFICATE_VERIFY_FAILED]"), SettingError, "TIDECAST_CA_FILE"),
        (ProgrammingError("Insert data column count"), TidecastError, "client reports an error"),
        (ConnectionResetError("reset"), Unavailable, "does not answer"),
    ],
)
def test_errors_say_what_to_do(error, kind, said):
    with pytest.raises(TidecastError, match=said) as caught, clear_errors():
        raise error
    assert type(caught.value) is kind
    assert "version" not in str(caught.value) and "http://" not in str(caught.value)
