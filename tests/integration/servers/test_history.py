"""The history on the real engine stores every record once in spite of crashes and repeated writes."""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from schemas.topics import CUSTOMER_EVENTS, PREDICTIONS
from sinks.clickhouse import migrate as migrating
from sinks.clickhouse.client import READING, WRITING, clear_errors, connect
from sinks.clickhouse.columns import COLUMNS, view_of
from sinks.clickhouse.history import History
from sinks.clickhouse.migrate import migrate, migrations
from streams.errors import SettingError, TidecastError, Unavailable
from streams.log import Record, TopicPartition
from tests.integration.conftest import Stack
from tests.integration.servers.history_log import EPOCH, MadeUpLog, new_codec

pytestmark = pytest.mark.integration

VIEWS = [view_of(table) for table in COLUMNS]
Logs = Mapping[TopicPartition, Sequence[Record]]
Connect = Callable[[], Any]


@pytest.fixture
def new_database(stack: Stack) -> Iterator[Callable[[], Connect]]:
    """Return a function that makes connectors, each to its own database. The databases are dropped at the end."""
    url = urlsplit(stack.clickhouse)
    names = []

    def make() -> Connect:
        names.append(f"history_{uuid.uuid4().hex[:8]}")
        return lambda name=names[-1]: connect(name, WRITING, host=url.hostname, port=url.port)

    yield make
    client = connect("default", host=url.hostname, port=url.port)
    for name in names:
        client.command(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture(scope="module")
def log() -> MadeUpLog:
    return MadeUpLog(int(time.time() * 1000))


def batches(logs: Logs, positions: Mapping[TopicPartition, int], chance: random.Random) -> Iterator[Logs]:
    """Yield the rest of the logs in batches of random size over random partitions."""
    rest = {at: [record for record in log if record.offset >= positions[at]] for at, log in logs.items()}
    while any(rest.values()):
        batch = {}
        for at in chance.sample(sorted(rest), chance.randint(1, len(rest))):
            size = chance.choice((1, 7, 60, 400))
            if rest[at]:
                batch[at], rest[at] = rest[at][:size], rest[at][size:]
        if batch:
            yield batch


def run(client_factory: Connect, logs: Logs, seed: int = 0, slice_records: int = 50_000) -> History:
    """Read from the stored positions to the ends of the logs."""
    history = History(client_factory, new_codec(), EPOCH, slice_records)
    positions = history.assign(list(logs))
    for batch in batches(logs, positions, random.Random(seed)):
        for part in history.process(batch):
            part.commit()
    return history


def contents(client: Any) -> dict[str, bytes]:
    """Return all views, sorted and without written_at, which is the server's clock."""
    shown = {view: client.raw_query(f"SELECT * FROM {view} ORDER BY ALL", fmt="TSV") for view in VIEWS}
    shown["positions"] = client.raw_query("SELECT * EXCEPT written_at FROM positions ORDER BY ALL", fmt="TSV")
    shown["accounting"] = client.raw_query("SELECT * FROM accounting ORDER BY ALL", fmt="TSV")
    return shown


class Crashing:
    """A client that fails like a network, either before an insert or after its rows are stored."""

    def __init__(self, client: Any, chance: random.Random, rate: float) -> None:
        self._client, self._chance, self._rate = client, chance, rate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def insert(self, *args: Any, **keywords: Any) -> None:
        self._perhaps()
        self._client.insert(*args, **keywords)
        self._perhaps()

    def _perhaps(self) -> None:
        if self._chance.random() < self._rate:
            raise Unavailable("made up")


def test_everything_stands_there_once(new_database: Callable[[], Connect], log: MadeUpLog) -> None:
    database = new_database()
    history = run(database, log.logs)
    client = database()

    def count(query: str) -> int:
        return client.query(f"SELECT count() FROM {query}").result_rows[0][0]

    for view in ("events", "outcomes", "predictions", "labelled_examples", "model_metrics", "controls"):
        assert count(view) == log.expected[view], view
    for view in ("feature_profiles", "drift_alerts", "open_alerts"):
        assert count(view) == log.expected[view], view
    assert count("late_events") == log.expected["late"]
    assert count("dead_letters") == log.expected["dead"]
    for view, kept in (("dead_letters_by_reason", "dead"), ("late_events_by_hour", "late")):
        assert client.query(f"SELECT sum(count) FROM {view}").result_rows[0][0] == log.expected[kept]
    assert count("records WHERE kind = 'tick'") == log.expected["ticks"]
    assert count("progress") == 2 + 4  # per source partition, on predictions and on each target's examples
    assert count("answers") == 2 * log.expected["predictions"]
    assert history.skipped == {CUSTOMER_EVENTS: (log.expected["dead"] - log.expected["conflicts"]) * 3 // 4}


def test_kinds_share_ids_and_the_first_content_stays(new_database: Callable[[], Connect], log: MadeUpLog) -> None:
    database = new_database()
    run(database, log.logs, slice_records=20)
    client = database()
    assert log.expected["conflicts"] > 4
    for _ in range(2):
        shown = client.query("SELECT event_id, groupArray(event_type), min(numbers['seconds']) FROM events GROUP BY 1")
        kinds = {id: sorted(found) for id, found, _ in shown.result_rows}
        assert set(map(tuple, kinds.values())) == {("Call",), ("Call", "Refund")}
        assert sum(map(len, kinds.values())) == log.expected["events"]
        assert min(seconds for *_, seconds in shown.result_rows) >= 0, "a second content is negative"
        client.command("OPTIMIZE TABLE events_by_kind_raw FINAL")  # and it stays so when parts are merged


def test_events_of_the_version_before_are_known_under_their_kind(
    new_database: Callable[[], Connect], log: MadeUpLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table merged by the id alone. What it holds is copied; what is published again is still the same row."""
    client = new_database()()
    all_of_them = migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: all_of_them[:4])
    migrate(client, client.database)
    columns = ["event_id", "event_type", "use_case", "customer_id", "occurred_at", "numbers", "log_offset"]
    call = ("e1", "Call", "telecom", "c", 1_711_756_800_000, {"seconds": 5.0}, 7)
    client.insert("events_raw", [call, ("e2", *call[1:])], column_names=columns)
    monkeypatch.undo()
    assert migrate(client, client.database) == [migration.name for migration in all_of_them[4:]]
    for statement in all_of_them[4].statements:  # another runner was at it, or died half-way
        client.command(statement)
    client.insert("events_by_kind_raw", [(*call[:6], 9), ("e1", "Refund", *call[2:6], 8)], column_names=columns)
    shown = client.query("SELECT event_id, event_type, log_offset FROM events ORDER BY event_id, event_type")
    assert shown.result_rows == [("e1", "Call", 7), ("e1", "Refund", 8), ("e2", "Call", 7)]


def test_a_correction_is_an_outcome_that_comes_later_and_says_otherwise(new_database: Callable[[], Connect]) -> None:
    client = new_database()()
    migrate(client, client.database)
    places = ["log_epoch", "log_partition", "log_offset"]
    names = ["outcome_id", "customer_id", "target", "prediction_id", "value"]
    outcomes = [
        ("settles", "c", "t", "p", 0.0, 7, 1, 50),
        ("corrects", "c", "t", "p", 1.0, 7, 1, 51),
        ("confirms", "c", "t", "p", 0.0, 7, 1, 52),
        ("before", "c", "t", "p", 1.0, 7, 1, 49),
        ("of no prediction", "c", "t", "", 1.0, 7, 1, 53),
        ("of another", "c", "t", "q", 1.0, 7, 1, 54),
    ]
    client.insert("outcomes_raw", outcomes, column_names=[*names, *places])
    sources = ["source_epoch", "source_partition", "source_offset"]
    example = ("x", "p", "t", "c", 0.0, 7, 1, 50)
    columns = ["example_id", "prediction_id", "target", "customer_id", "label", *sources]
    client.insert("labelled_examples_raw", [example], column_names=columns)
    found = client.query("SELECT outcome_id, example_id, label, corrected FROM corrections").result_rows
    assert [tuple(row) for row in found] == [("corrects", "x", 0.0, 1.0)]


def test_published_is_accepted_duplicate_late_and_dead(new_database: Callable[[], Connect], log: MadeUpLog) -> None:
    database = new_database()
    run(database, log.logs)
    sums = "sum(published), sum(accepted), sum(duplicate), sum(late), sum(dead)"
    published, accepted, duplicate, late, dead = database().query(f"SELECT {sums} FROM accounting").result_rows[0]
    expected = log.expected
    assert (published, duplicate, late, dead) == tuple(
        expected[name] for name in ("published", "duplicate", "late", "dead")
    )
    assert accepted == expected["events"] + expected["outcomes"] - expected["late"]


def test_the_copy_that_came_first_is_kept(new_database: Callable[[], Connect], log: MadeUpLog) -> None:
    codec, first = new_codec(), {}
    for at, records in log.logs.items():
        for record in records if at.topic == PREDICTIONS else ():
            name, fields = codec.decode(record.value)
            if name == "tidecast.Prediction":
                first.setdefault(fields["prediction_id"], record.offset)
    database = new_database()
    run(database, log.logs, slice_records=20)
    client = database()
    assert first == dict(client.query("SELECT prediction_id, log_offset FROM predictions").result_rows)
    client.command("OPTIMIZE TABLE predictions_raw FINAL")  # merging the parts does not change it
    assert first == dict(client.query("SELECT prediction_id, log_offset FROM predictions_raw").result_rows)


@pytest.mark.parametrize("seed", range(3))
def test_crashes_leave_no_trace(new_database: Callable[[], Connect], log: MadeUpLog, seed: int) -> None:
    calm, stormy = new_database(), new_database()
    run(calm, log.logs)
    chance = random.Random(seed)
    crashes = 0
    while True:
        client = stormy()
        migrate(client, client.database)
        crashing = Crashing(client, chance, 0.04)
        try:
            run(lambda client=crashing: client, log.logs, seed=chance.random(), slice_records=chance.choice((50, 1000)))
            break
        except Unavailable:
            crashes += 1
    assert crashes > 3
    assert contents(stormy()) == contents(calm())


def test_a_second_history_of_another_epoch_starts_anew(new_database: Callable[[], Connect], log: MadeUpLog) -> None:
    database = new_database()
    run(database, log.logs)
    partitions = list(log.logs)
    ends = {at: records[-1].offset + 1 for at, records in log.logs.items()}
    assert History(database, new_codec(), EPOCH).assign(partitions) == ends
    assert set(History(database, new_codec(), EPOCH + 1).assign(partitions).values()) == {0}


def test_extreme_times_do_not_stop_it(new_database: Callable[[], Connect]) -> None:
    log = MadeUpLog(int(time.time() * 1000), events=0)
    for number, at in enumerate((-(2**62), -62135596800000, 2**62, 253402300799999)):
        call = {"event_id": f"x{number}", "customer_id": "c0", "occurred_at": at, "seconds": 1.0, "kind": "VOICE"}
        log.put(CUSTOMER_EVENTS, 0, "telecom.Call", call)
        value = log.logs[TopicPartition(CUSTOMER_EVENTS, 0)].pop()
        log.logs[TopicPartition(CUSTOMER_EVENTS, 0)].append(value._replace(timestamp=max(at, -1) if number else 2**62))
    database = new_database()
    run(database, log.logs)
    rows = database().query("SELECT event_id, toYear(occurred_at) FROM events ORDER BY event_id").result_rows
    assert rows == [("x0", 1900), ("x1", 1900), ("x2", 2299), ("x3", 2299)]


def test_server_away_is_unavailable(log: MadeUpLog) -> None:
    history = History(lambda: connect("x", WRITING, host="127.0.0.1", port=9), new_codec(), EPOCH)
    with pytest.raises(Unavailable, match="does not answer"):
        history.assign(list(log.logs))


def test_reading_connection_cannot_write(stack: Stack, new_database: Callable[[], Connect]) -> None:
    client = new_database()()
    migrate(client, client.database)
    url = urlsplit(stack.clickhouse)
    reader = connect(client.database, READING, host=url.hostname, port=url.port)
    assert reader.query("SELECT count() FROM events").result_rows == [(0,)]
    for statement in ("DROP TABLE events_raw", "INSERT INTO positions_raw (stage) VALUES ('x')", "SET readonly = 0"):
        with pytest.raises(Exception, match=r"readonly|Readonly"):
            reader.command(statement)


def test_migrations_run_once_and_stay_as_they_were(
    new_database: Callable[[], Connect], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_database()()
    assert migrate(client, client.database) == [migration.name for migration in migrations()]
    assert migrate(client, client.database) == []
    edited = tuple(migration._replace(digest="other") for migration in migrations())
    monkeypatch.setattr(migrating, "migrations", lambda: edited)
    with pytest.raises(SettingError, match=r"0001_tables ran in database history_.* with other contents"):
        migrate(client, client.database)


def test_errors_of_the_server_are_one_sentence(new_database: Callable[[], Connect]) -> None:
    client = new_database()()
    migrate(client, client.database)
    for query, kind, said in (
        ("SELECT * FROM nothing", SettingError, "no such table .*nothing"),
        ("SELECT nothing FROM events", TidecastError, "Unknown expression identifier `nothing`"),
        ("SELECT throwIf(1, 'x')", TidecastError, "rejected the statement"),
    ):
        with pytest.raises(kind, match=said) as caught, clear_errors():
            client.query(query)
        assert "\n" not in str(caught.value) and "version" not in str(caught.value)
