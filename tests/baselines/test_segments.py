"""Which frames go together, for any video: properties by their definitions."""

import pytest

pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from hypothesis import given
from hypothesis import strategies as st
from made_video import addresses

from vipbench.baselines.aten import encoding_keys
from vipbench.baselines.fgfa import nearby
from vipbench.baselines.streaming import first, growing, planned, segments

indices = st.sets(st.integers(0, 60), min_size=1, max_size=40).map(sorted)


@given(indices, st.integers(1, 12), st.data())
def test_segments_cut_the_source_video_evenly(at: list[int], l: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, l - 1))
    parts = segments(addresses(at), l, offset=offset)
    assert [f.index for part in parts for f in part.frames] == at
    for part in parts:
        assert {(f.index + offset) // l for f in part.frames} == {part.number}
        before = part.frames.index(part.key)
        assert before - (len(part.frames) - 1 - before) in (0, 1)  # the median, the later one of two
    assert [p.key for p in segments(addresses(at), l, first, offset)] == [p.frames[0] for p in parts]


@given(indices | st.just([]), st.integers(1, 12))
def test_a_video_begins_with_one_frame_and_goes_on_with_more(at: list[int], most: int) -> None:
    frames = addresses(at).frames
    parts = [len(part) for part in growing(frames, most)]
    assert [frame for part in growing(frames, most) for frame in part] == list(frames)
    assert parts[:-1] == [min(3**i, most) for i in range(len(parts) - 1)]
    assert not parts or 0 < parts[-1] <= min(3 ** (len(parts) - 1), most)


@given(st.integers(0, 30), st.integers(1, 12))
def test_over_all_offsets_a_frame_is_once_the_key(index: int, l: int) -> None:
    video = addresses(range(index + l))
    keys = [s.key.index for o in range(l) for s in segments(video, l, first, o)]
    assert keys.count(index) == (1 if index else l)  # a segment begins with the video, whatever the offset


@given(indices, st.integers(1, 6), st.integers(0, 3))
def test_encoding_keys_are_contiguous_and_of_one_side(at: list[int], l: int, p: int) -> None:
    parts = segments(addresses(at), l)
    numbers = {part.number for part in parts}
    for j, part in enumerate(parts):
        steps = [other.number - part.number for other in encoding_keys(parts, j, p)]
        former = next(i for i in range(p + 1) if i == p or part.number - i - 1 not in numbers)
        latter = next(i for i in range(p + 1) if i == p or part.number + i + 1 not in numbers)
        assert steps in ([-i - 1 for i in range(former)], [i + 1 for i in range(latter)])
        assert len(steps) == max(former, latter)
        assert former < p or all(step < 0 for step in steps)


@given(indices, st.integers(1, 6), st.integers(0, 3))
def test_features_are_computed_once_and_kept_until_their_last_use(at: list[int], l: int, p: int) -> None:
    parts = segments(addresses(at), l)
    wanted = [
        (part.frames, [s.key for s in (part, *encoding_keys(parts, j, p))]) for j, part in enumerate(parts)
    ]
    known: set[int] = set()
    computed: list[int] = []
    for (frames, used), step in zip(wanted, planned(wanted), strict=True):
        assert (step.frames, step.used) == (frames, tuple(used))
        computed += [frame.index for frame in step.new]
        known |= {frame.index for frame in step.new}
        assert {frame.index for frame in used} <= known
        known = set(step.kept)
        assert len(known) <= 2 * p
    assert not known
    assert sorted(computed) == sorted({part.key.index for part in parts})


@given(indices, st.integers(0, 6), st.integers(0, 6))
def test_nearby_frames_are_those_within_reach(at: list[int], before: int, after: int) -> None:
    video = addresses(at)
    for position, index in enumerate(at):
        near = [i for i in at if i != index and -before <= i - index <= after]
        assert [f.index for f in nearby(video, position, before, after)] == near
