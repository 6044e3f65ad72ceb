from load.bench.parts.soak import slope


def test_slope_is_growth_per_sample() -> None:
    assert slope([1.0, 3.0, 5.0]) == 2.0
    assert slope([4.0]) == slope([]) == 0.0
