"""Non-maximum suppression against its definition in plain Python, on the CPU and as a device does it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines.nn import nms as module  # noqa: E402
from vipbench.baselines.nn.nms import nms, nms_batch  # noqa: E402

WAYS = ("_by_blocks", "_by_rounds")


def overlap(a: Any, b: Any) -> float:
    """IoU of two boxes, in Python."""
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(height, 0) * max(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / max(union, 1e-9)


def greedy(boxes: Any, scores: Any, threshold: float, limit: int, there: Any = None) -> list[int]:
    rows = boxes.tolist()
    ranked = sorted(range(len(rows)), key=lambda i: (-scores[i].item(), i))
    kept: list[int] = []
    for i in ranked:
        if there is not None and not there[i]:
            continue
        if all(overlap(rows[i], rows[k]) <= threshold for k in kept):
            kept.append(i)
    return kept[:limit]


def clustered(count: int, seed: int, clusters: int = 5) -> tuple[Any, Any]:
    """Boxes around a few centres, on a grid so that some are equal, and scores with ties."""
    rng = torch.Generator().manual_seed(seed)
    middles = torch.randint(20, 200, (clusters, 2), generator=rng)
    which = torch.randint(clusters, (count,), generator=rng)
    corners = middles[which] + torch.randint(-9, 9, (count, 2), generator=rng)
    sides = torch.randint(12, 40, (count, 2), generator=rng)
    boxes = torch.cat([corners, corners + sides], 1).double()
    return boxes, torch.rand(count, generator=rng).round(decimals=1).double()


@pytest.fixture(params=WAYS)
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways on the CPU's tensors."""
    monkeypatch.setattr(module, "_by_blocks", getattr(module, request.param))
    return str(request.param)


@pytest.mark.parametrize("name", WAYS)
@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(0, 150),
    seed=st.integers(0, 1 << 30),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7]),
    limit=st.integers(1, 60),
)
def test_keeps_exactly_what_the_definition_keeps(
    name: str, count: int, seed: int, threshold: float, limit: int
) -> None:
    boxes, scores = clustered(count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_by_blocks", getattr(module, name))
        assert nms(boxes, scores, threshold, limit).tolist() == greedy(boxes, scores, threshold, limit)


def test_a_batch_is_its_images_one_by_one_without_those_not_there(way: str) -> None:
    images = [clustered(90, seed, clusters) for seed, clusters in enumerate((1, 4, 9))]
    boxes, scores = (torch.stack(each) for each in zip(*images, strict=True))
    there = torch.rand(3, 90, generator=torch.Generator().manual_seed(7)) < 0.6
    there[1] = False
    kept = nms_batch(boxes, scores, there, 0.3, 20)
    assert bool(kept.settled)
    for image, b, s, t in zip(range(3), boxes, scores, there, strict=True):
        assert kept.indices[image, kept.there[image]].tolist() == greedy(b, s, 0.3, 20, t)
    assert torch.equal(kept.there.sort(1, descending=True).values, kept.there)


def chain(length: int) -> tuple[Any, Any]:
    """Each box overlaps the next one alone, by a third: every second one is kept."""
    left = torch.arange(length, dtype=torch.float64)[:, None] * 5
    zero = torch.zeros_like(left)
    return torch.cat([zero, left, zero + 10, left + 10], 1), -left[:, 0]


def test_rounds_that_do_not_suffice_are_told_of_and_twice_the_limit_always_does(way: str) -> None:
    boxes, scores = chain(200)
    there = torch.ones(1, 200, dtype=torch.bool)
    short = nms_batch(boxes[None], scores[None], there, 0.2, 60, rounds=24)
    assert bool(short.settled) == (way == "_by_blocks")
    for limit in (1, 60, 150):
        expected = list(range(0, 200, 2))[:limit]
        whole = nms_batch(boxes[None], scores[None], there, 0.2, limit)
        assert bool(whole.settled)
        assert whole.indices[whole.there].tolist() == expected
        assert nms(boxes, scores, 0.2, limit).tolist() == expected


def test_a_device_is_not_waited_for() -> None:
    """On the meta device, where no value can be asked for."""
    boxes, there = torch.empty(3, 50, 4, device="meta"), torch.empty(3, 50, dtype=torch.bool, device="meta")
    kept = nms_batch(boxes, boxes[..., 0], there, 0.5, 20, rounds=8)
    assert kept.indices.shape == kept.there.shape == (3, 20)
    assert kept.settled.shape == ()
