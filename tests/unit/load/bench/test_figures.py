import json

from load.bench.figures import Figures


def test_runs_of_the_same_name_are_one_figure() -> None:
    figures = Figures()
    for value in (3.0, 1.0, 2.0):
        figures.add("drain", "events/s", value)
    figures.add("latency", "ms", 5.0)
    drain, latency = figures.all()
    assert (drain.values, drain.median) == ((3.0, 1.0, 2.0), 2.0)
    assert latency.values == (5.0,)
    head, first, _ = figures.table()
    assert head.split() == ["min", "median", "max"]
    assert first.split() == ["drain", "1", "2", "3", "events/s"]


def test_json_holds_the_options_and_the_environment() -> None:
    figures = Figures()
    figures.add("drain", "events/s", 3.0)
    figures.extras["histograms"] = {"1000": ["abc"]}
    report = json.loads(figures.json({"events": 5}))
    assert report["options"] == {"events": 5} and report["histograms"] == {"1000": ["abc"]}
    assert report["figures"] == [
        {"name": "drain", "unit": "events/s", "min": 3.0, "median": 3.0, "max": 3.0, "runs": [3.0]}
    ]
    assert report["environment"]["cores"] >= 1 and report["environment"]["packages"]["confluent-kafka"]
