"""Charts as figures: nothing is out of the box, stacks are as high as their sum, and scales end with round numbers."""

from hypothesis import given
from hypothesis import strategies as st

from frontend.plots import HEIGHT, WIDTH, across, lines, stacks, top_of

counts = st.integers(0, 10**9)


@given(st.integers(0, 10**12))
def test_a_scale_ends_above_the_largest_and_not_far_above(largest: int) -> None:
    top = top_of(largest)
    assert top % 2 == 0
    assert largest <= top <= max(2, 2 * largest)
    assert len(str(top).strip("0")) == 1


@given(st.lists(st.tuples(counts, counts, counts), min_size=1, max_size=400))
def test_stacks_stay_in_their_places(values: list[tuple[int, int, int]]) -> None:
    top = top_of(max(sum(each) for each in values))
    parts = {name: [each[place] for each in values] for place, name in enumerate(("low", "middle", "high"))}
    for stack, each in zip(stacks([""] * len(values), parts, top), values, strict=True):
        assert -0.01 <= stack.x <= stack.x + stack.width <= WIDTH + 0.01
        for bar in stack.bars:
            assert stack.x <= bar.x
            assert bar.x + bar.width <= stack.x + stack.width + 0.02
            assert -0.02 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.02
        assert abs(sum(bar.height for bar in stack.bars) - HEIGHT * sum(each) / top) < 0.05


def test_a_line_goes_through_the_middle_of_its_places() -> None:
    [line] = lines({"opened": [0, 5, 10]}, 10)
    assert line.points == "166.67,100.0 500.0,50.0 833.33,0.0"


def test_what_lies_across_ends_where_the_largest_does() -> None:
    bars = across({"delivered": 3, "bounced": 0, "unsent": 1}, 8)
    assert [(bar.kind, bar.x, bar.width) for bar in bars] == [("delivered", 0, 375), ("unsent", 375, 125)]
    assert across({"delivered": 0}, 0) == []
