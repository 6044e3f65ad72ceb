from load.chaos.expected import EXPECTED, plan_without
from load.chaos.guards.sabotage import GUARDS
from load.chaos.plan import ROUND, plan, plan_on_the_wall

POINTS = [f"scoring.point{number}" for number in range(40)]


def test_a_seed_has_one_schedule() -> None:
    assert plan(7, 120, POINTS) == plan(7, 120, POINTS)
    assert plan(7, 120, POINTS) != plan(8, 120, POINTS)


def test_two_minutes_have_every_kind_of_fault_and_at_least_ten() -> None:
    for seed in range(50):
        faults = plan(seed, 120, POINTS)
        assert len(faults) == len(ROUND) == 18
        assert {fault.kind for fault in faults} == set(ROUND)
        assert all(0 < fault.at < 120 for fault in faults)


def test_fifty_seeds_arm_every_fail_point_several_times() -> None:
    armed = [fault.on for seed in range(50) for fault in plan(seed, 120, POINTS) if fault.kind == "point"]
    assert min(armed.count(point) for point in POINTS) >= 5


def test_expected_faults_belong_to_guards() -> None:
    assert set(EXPECTED) <= set(GUARDS)
    assert plan_without("event-digests", 60) == []
    faults = plan_without("position-cas", 60)
    assert {fault.on for fault in faults} == {"scoring.acked"}
    assert len(faults) >= 5


def test_on_the_wall_one_clock_is_wrong_once_and_the_producers_are_silent_once() -> None:
    faults = plan_on_the_wall(7, 120, POINTS)
    kinds = [fault.kind for fault in faults]
    assert kinds.count("clock") == kinds.count("silence") == 1
    assert len(faults) == len(plan(7, 120, POINTS)) + 2
    assert [fault.kind for fault in faults if fault.on == "scoring-c"] == ["clock"]  # nobody else needs that worker
