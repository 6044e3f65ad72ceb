"""How far learners are behind."""

from hypothesis import given
from hypothesis import strategies as st

from agents.importing.learners import Learners, LearntTarget

TARGETS = {"churn": LearntTarget(0, 2, ("a", "b")), "spend": LearntTarget(1, 3, ("c",))}
events = st.lists(
    st.one_of(
        st.tuples(st.just("example"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["churn/a", "churn/b", "spend/c", "gone/x"]), st.integers(0, 40)),
    ),
    max_size=40,
)


@given(events, st.integers(1, 3))
def test_against_lists(found: list[tuple[str, int]], blocks: int) -> None:
    """The oracle: all examples after the greatest switch."""
    learners = Learners(TARGETS)
    examples: list[tuple[int, int]] = []
    served = {"churn/a": -1, "churn/b": -1, "spend/c": -1}
    for offset, (what, number) in enumerate(found):
        if what == "example":
            learners.example(number, offset)
            examples.append((number, offset))
        else:
            target, arm = what.split("/")
            learners.switch(target, arm, min(number, offset))
            served[what] = max(served.get(what, -1), min(number, offset))
    expected = []
    for name, target in TARGETS.items():
        for arm in target.arms:
            after = [at for partition, at in examples if partition == target.partition and at > served[f"{name}/{arm}"]]
            expected += [f"{name}/{arm}"] * (len(after) >= blocks * target.serve_every)
    assert learners.behind(blocks) == expected


def test_an_arm_that_is_given_up_counts_again_when_it_serves() -> None:
    learners = Learners(TARGETS)
    for offset in range(4):
        learners.example(0, offset)
    learners.switch("churn", "a", 3)
    assert learners.behind() == ["churn/b"] == learners.give_up() and learners.behind() == []
    learners.switch("churn", "b", 1)
    assert learners.behind() == ["churn/b"]
