from load.bench.system import lags_by_stage


def test_lag_is_summed_by_stage_without_learners() -> None:
    places = [
        {"stage": "scoring", "lag": 2},
        {"stage": "scoring", "lag": 3},
        {"stage": "learning top_up/logistic", "lag": 900},
        {"stage": "history", "lag": 0},
    ]
    assert lags_by_stage(places) == {"scoring": 5, "history": 0}
