"""Publish files to a real Kafka, and read them with `tail`."""

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Stack, Tidecast

ROWS = 500
PREFIX = "publish-test-"
MAPPING = """
event = "Purchase"
customer = "who"
time = "day"
[fields]
items = { value = 1 }
amount_cents = { column = "euros", scale = 100 }
"""


@pytest.fixture(scope="module")
def place(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with a mapping and a CSV. The rows are out of time order, and two of them are invalid."""
    folder = tmp_path_factory.mktemp("publish")
    lines = [f"c{n % 37},2024-01-{1 + (n * 7) % 20:02}T{n % 24:02}:00:00,{n / 100:.2f}" for n in range(ROWS)]
    lines[10] = "c1,soon,1.00"
    lines[20] = "c1,2024-01-01"
    (folder / "rows.csv").write_text("\n".join(["who,day,euros", *lines]))
    (folder / "map.toml").write_text(MAPPING)
    stack.env["TIDECAST_TOPIC_PREFIX"] = PREFIX
    yield folder
    del stack.env["TIDECAST_TOPIC_PREFIX"]


def records(tidecast: Tidecast) -> list[dict[str, object]]:
    done = tidecast("tail", "customer-events", "--from", "beginning", "--no-follow", "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_file_with_its_clock_and_again(tidecast: Tidecast, place: Path) -> None:
    file, mapping, rejects = str(place / "rows.csv"), str(place / "map.toml"), place / "rejects.jsonl"
    assert "Nothing is deployed" in tidecast("publish", file, "--mapping", mapping, check=False).stderr
    tidecast("deploy", "retail")
    fast = ("publish", file, "--mapping", mapping, "--as-fast-as-possible")
    done = tidecast(*fast, "--rejects", str(rejects), "--until", "2024-03-01")
    assert f"{ROWS} rows, 2 rejected." in done.stdout and f"{ROWS - 2} events published" in done.stdout
    assert "line 12: day 'soon' is not a time" in done.stderr and "line 22: has 2 columns" in done.stderr
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(reject["line"], reject["row"] is None) for reject in kept] == [(12, False), (22, True)]

    first = records(tidecast)
    events = [record for record in first if record["type"] == "retail.Purchase"]
    assert len(events) == ROWS - 2 == len({event["event_id"] for event in events})
    assert sum(int(str(event["amount_cents"])) for event in events) == sum(range(ROWS)) - 10 - 20
    for partition in range(4):
        here = [record for record in first if record["partition"] == partition]
        assert [record["type"] for record in here[:1]] == ["tidecast.Deployment"]
        reached, moment = -1, -1
        for record in here[1:]:
            if record["type"] == "tidecast.Tick":
                assert int(str(record["time"])) > reached and record["signature"]
                reached = int(str(record["time"]))
                assert moment <= reached
            else:
                assert int(str(record["occurred_at"])) >= max(reached, moment)
                moment = int(str(record["occurred_at"]))
        assert reached == 1_709_251_200_000  # 2024-03-01

    again = tidecast(*fast, "--strict", check=False)
    assert again.returncode == 3 and f"{ROWS - 2} of the records were published before" in again.stderr
    twice = [record for record in records(tidecast) if record["type"] == "retail.Purchase"]
    assert sorted(str(event["event_id"]) for event in twice) == sorted(2 * [str(event["event_id"]) for event in events])
    places = {(event["customer_id"], event["partition"]) for event in twice}
    assert len(places) == len({customer for customer, _ in places})


def test_what_tail_shows(tidecast: Tidecast, place: Path) -> None:
    shown = tidecast("tail", "customer-events", "--from", "beginning", "--no-follow", "--customer", "c3").stdout
    assert shown and all(" Purchase " in line and " c3 " in line for line in shown.splitlines())
    ticks = tidecast("tail", "customer-events", "--from", "-30", "--no-follow", "--type", "tick", "--limit", "5").stdout
    assert len(ticks.splitlines()) == 5 and "by publish" in ticks
    lost = tidecast("tail", "costumer-events", check=False)
    assert lost.returncode == 1 and "name one of customer-events" in lost.stderr


def test_nothing_is_published_in_a_dry_run_or_when_no_row_fits(tidecast: Tidecast, place: Path) -> None:
    before = len(records(tidecast))
    publish = ("publish", str(place / "rows.csv"), "--mapping", str(place / "map.toml"), "--as-fast-as-possible")
    file, mapping = str(place / "rows.csv"), str(place / "map.toml")
    done = tidecast("publish", file, "--mapping", mapping, "--dry-run")
    assert f"{ROWS - 2} records would be published" in done.stdout
    (place / "none.csv").write_text("who,day,euros\n,2024-01-01,1\n")
    none = tidecast("publish", str(place / "none.csv"), "--mapping", mapping, check=False)
    assert none.returncode == 1 and "Not one of the 1 rows" in none.stderr
    wrong = tidecast("publish", file, "--mapping", mapping, "--use-case", "telecom", check=False)
    assert wrong.returncode == 1 and "telecom has no event 'Purchase'" in wrong.stderr
    few = tidecast(*publish, "--max-rejects", "0.1%", check=False)
    assert few.returncode == 1 and "0.4% of" in few.stderr and "nothing was sent" in few.stderr
    assert len(records(tidecast)) == before


def test_what_the_log_has_already_is_looked_at_before_anything_is_sent(tidecast: Tidecast, place: Path) -> None:
    """Same ids with other contents, rows before the watermark, and rows that another mapping has published."""
    ids = MAPPING.replace("time =", 'id = "no"\ntime =')
    (place / "ids.toml").write_text(ids)
    (place / "new.csv").write_text("no,who,day,euros\n" + "".join(f"n{n},c1,2024-03-{n:02},1\n" for n in range(1, 29)))
    publish = ("publish", str(place / "new.csv"), "--mapping", str(place / "ids.toml"), "--as-fast-as-possible")
    assert "28 events published" in tidecast(*publish).stdout
    changed = (place / "new.csv").read_text().replace("c1,2024-03-09,1", "c1,2024-03-09,2")
    (place / "new.csv").write_text(changed)
    other = tidecast(*publish, check=False)
    assert other.returncode == 1 and "1 of the records have an id under which another content" in other.stderr
    assert "(line 10)" in other.stderr
    (place / "old.csv").write_text((place / "new.csv").read_text().replace(",2024-03-", ",2024-02-").replace("n", "m"))
    (place / "old.csv").write_text((place / "old.csv").read_text().replace("mo,", "no,", 1))
    old = tidecast("publish", str(place / "old.csv"), *publish[2:], check=False)
    assert old.returncode == 1 and "28 of 28 new records are older than the watermark" in old.stderr
    (place / "map.toml").write_text(MAPPING.replace("items = { value = 1 }", "items = { value = 2 }"))
    remapped = tidecast(
        "publish", str(place / "rows.csv"), "--mapping", str(place / "map.toml"), *publish[4:], check=False
    )
    assert remapped.returncode == 1 and f"{2 * (ROWS - 2)} records of the same rows were published" in remapped.stderr
    assert len([r for r in records(tidecast) if r["type"] == "retail.Purchase"]) == 28 + 2 * (ROWS - 2)
