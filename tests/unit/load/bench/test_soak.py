from load.bench.soak import slope, stage_lags


def test_lag_is_summed_by_stage_without_learners() -> None:
    places = [
        {"stage": "scoring", "lag": 2},
        {"stage": "scoring", "lag": 3},
        {"stage": "learning top_up/logistic", "lag": 900},
        {"stage": "history", "lag": 0},
    ]
    assert stage_lags(places) == {"scoring": 5, "history": 0}


def test_slope_is_growth_per_sample() -> None:
    assert slope([1.0, 3.0, 5.0]) == 2.0
    assert slope([4.0]) == slope([]) == 0.0
