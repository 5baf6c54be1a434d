"""Each back end of the flow-guided warp against plain Python in float64: border rules, shifts, wild flow."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from warp_backends import NAMES, Backend, ready  # noqa: E402

from vipbench.baselines.nn.warp import BORDERS, warp  # noqa: E402
from vipbench.errors import UserError  # noqa: E402


@pytest.fixture(params=NAMES)
def back(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    return ready(request.param, monkeypatch)


def rng(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def pixel(plane: Any, x: float, y: float, border: str) -> float:
    """The value of one plane [H, W] at a position, by the border rule's definition."""
    height, width = plane.shape
    if border == "aten" and not (0 <= x < width and 0 <= y < height):
        return 0.0
    left, top = math.floor(x), math.floor(y)
    total = 0.0
    for row, column in np.ndindex(2, 2):
        weight = (x - left if column else 1 - (x - left)) * (y - top if row else 1 - (y - top))
        i, j = top + row, left + column
        inside = 0 <= i < height and 0 <= j < width
        if border != "zeros" or inside:
            total += weight * plane[min(max(i, 0), height - 1)][min(max(j, 0), width - 1)].item()
    return total


def by_loop(features: Any, flow: Any, border: str) -> Any:
    out = torch.zeros_like(features)
    for n, c, y, x in np.ndindex(*features.shape):
        u, v = flow[n, :, y, x].tolist()
        out[n, c, y, x] = 0 if math.isnan(u + v) else pixel(features[n, c], x + u, y + v, border)
    return out


@pytest.mark.parametrize("border", BORDERS)
def test_warp_equals_the_rule_written_out(border: str, back: Backend) -> None:
    features = torch.randn(2, 3, 5, 7, generator=rng(), dtype=torch.float64)
    flow = torch.randn(2, 2, 5, 7, generator=rng(1), dtype=torch.float64) * 4
    flow[0, 0, 2, 6] = 0.5  # W-1 < x < W
    flow[0, 0, 2, 0] = -0.5  # -1 < x < 0
    flow[1, 0, 0, 0] = torch.nan
    back.close(back(features, flow, border=border), by_loop(features, flow, border))


def test_the_rules_differ_in_the_strip_around_the_map(back: Backend) -> None:
    """Half a cell beyond either edge of a row of ones."""
    flow = torch.zeros(1, 2, 1, 3, dtype=torch.float64)
    flow[0, 0, 0] = torch.tensor([-0.5, 0, 0.5])
    ones = torch.ones(1, 1, 1, 3, dtype=torch.float64)
    found = {border: back(ones, flow, border=border).flatten().tolist() for border in BORDERS}
    assert found == {"aten": [0, 1, 1], "zeros": [0.5, 1, 0.5], "clamp": [1, 1, 1]}


def test_zeros_gives_the_documented_examples_of_mxnets_bilinear_sampler(back: Backend) -> None:
    """Out of the map by whole cells, then zoomed out twice about the centre of the map."""
    data = torch.tensor([[1.0, 4, 3, 6], [1, 8, 8, 9], [0, 4, 1, 5], [1, 0, 1, 3]]).reshape(1, 1, 4, 4)
    left = torch.stack([torch.ones(4, 4), torch.zeros(4, 4)])[None]
    moved = [[4.0, 3, 6, 0], [8, 8, 9, 0], [4, 1, 5, 0], [0, 1, 3, 0]]
    back.close(back(data, left, border="zeros")[0, 0], torch.tensor(moved))
    offset = torch.arange(4) - 1.5
    zoom = torch.stack([offset.expand(4, 4), offset[:, None].expand(4, 4)])[None]
    halved = [[0.0, 0, 0, 0], [0, 3.5, 6.5, 0], [0, 1.25, 2.5, 0], [0, 0, 0, 0]]
    back.close(back(data, zoom, border="zeros")[0, 0], torch.tensor(halved))


@pytest.mark.parametrize("border", ["aten", "zeros"])
@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (1, -2), (-2, 3)])
def test_whole_cells_shift_and_leave_zeros(border: str, dy: int, dx: int, back: Backend) -> None:
    features = torch.rand(1, 2, 6, 8, generator=rng(), dtype=torch.float64) + 1
    flow = torch.tensor([dx, dy], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 6, 8)
    expected = torch.roll(features, (-dy, -dx), (2, 3))
    rows, columns = torch.arange(6)[:, None] + dy, torch.arange(8) + dx
    expected = expected * ((rows >= 0) & (rows < 6) & (columns >= 0) & (columns < 8))
    back.close(back(features, flow, border=border), expected)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [(1, 7), (5, 1), (1, 1)])
def test_a_single_row_or_column(size: tuple[int, int], border: str, back: Backend) -> None:
    features = torch.randn(1, 2, *size, generator=rng(), dtype=torch.float64)
    flow = torch.randn(1, 2, *size, generator=rng(1), dtype=torch.float64)
    back.close(back(features, flow * 0, border=border), features)
    back.close(back(features, flow, border=border), by_loop(features, flow, border))


@pytest.mark.parametrize("border", BORDERS)
def test_wild_flow_does_no_harm(border: str, back: Backend) -> None:
    features = torch.randn(1, 2, 3, 4, generator=rng())
    wild = torch.full((1, 2, 3, 4), torch.nan)
    assert not back(features, wild, border=border).any()
    for value in (torch.inf, -torch.inf, 1e30, -1e30):
        found = back(features, torch.full_like(wild, value), border=border)
        corner = features[..., -1:, -1:] if value > 0 else features[..., :1, :1]
        back.close(found, (corner if border == "clamp" else torch.zeros(())).expand_as(found))


@pytest.mark.parametrize("border", BORDERS)
def test_no_flow_and_a_scale_of_one_change_no_bit(border: str, back: Backend) -> None:
    features = torch.randn(2, 5, 7, 11, generator=rng())
    found = back(features, torch.zeros(2, 2, 7, 11), torch.ones_like(features), border)
    if back.name == "grid_sample":  # it goes by normalised positions
        back.close(found, features)
    else:
        assert torch.equal(found, features.to(found.dtype))


def test_linear_in_features_and_scale_and_maps_are_independent(back: Backend) -> None:
    a, b, s = (torch.randn(3, 2, 5, 6, generator=rng(seed), dtype=torch.float64) for seed in range(3))
    flow = torch.randn(3, 2, 5, 6, generator=rng(3)) * 2
    both = back(a, flow, s) * 2 - back(b, flow, s)
    back.close(both, back(2 * a - b, flow, s))
    back.close(back(a, flow, s - b), back(a, flow, s) - back(a, flow, b))
    order = torch.tensor([2, 0, 1])
    assert torch.equal(back(a[order], flow[order], s[order]), back(a, flow, s)[order])


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scaled", [False, True])
def test_gradients(border: str, scaled: bool, back: Backend) -> None:
    """Of features, flow and scale, with positions inside, in the strip and far outside; none on a cell."""
    features = torch.randn(2, 2, 4, 5, generator=rng(), dtype=torch.float64)
    flow = torch.rand(3, 2, 4, 5, generator=rng(1), dtype=torch.float64) * 0.6 + 0.2
    flow = flow + torch.randint(-3, 3, (3, 2, 4, 5), generator=rng(2))
    scale = torch.randn(3, 2, 4, 5, generator=rng(3), dtype=torch.float64) if scaled else None
    keys = torch.tensor([1, 0, 1])
    inputs = [each.requires_grad_() for each in (features, flow, scale) if each is not None]
    exact = partial(warp, border=border, backend="reference", keys=keys)
    if back.dtype == torch.float64:
        assert torch.autograd.gradcheck(partial(back, border=border, keys=keys), inputs)
        return
    weights = torch.randn(3, 2, 4, 5, generator=rng(4), dtype=torch.float64)
    expected = torch.autograd.grad(exact(*inputs), inputs, weights)
    out = back(*inputs, border=border, keys=keys)
    for found, wanted in zip(torch.autograd.grad(out, inputs, weights.to(out.dtype)), expected, strict=True):
        back.close(found, wanted)


@pytest.mark.parametrize("last", [False, True])
def test_deterministic_gradients_have_the_same_bits_again(last: bool, back: Backend) -> None:
    """Many positions lead to the same few cells."""
    features, scale, weights = (torch.randn(2, 3, 6, 7, generator=rng(seed)).double() for seed in range(3))
    flow = torch.randn(2, 2, 6, 7, generator=rng(3)).double() - torch.arange(7) * 0.9
    if last:
        features = features.contiguous(memory_format=torch.channels_last)
    inputs = [each.requires_grad_() for each in (features, flow, scale)]
    expected = torch.autograd.grad(warp(*inputs, backend="reference"), inputs, weights)
    torch.use_deterministic_algorithms(True)
    try:
        outs = [back(*inputs) for _ in range(2)]
        found, again = (torch.autograd.grad(out, inputs, weights.to(out.dtype)) for out in outs)
    finally:
        torch.use_deterministic_algorithms(False)
    for one, other, wanted in zip(found, again, expected, strict=True):
        assert torch.equal(one, other)
        back.close(one, wanted)


@pytest.mark.parametrize("channels", [1, 3, 20])
@pytest.mark.parametrize("last", [False, True])
def test_any_layout_and_number_of_channels(channels: int, last: bool, back: Backend) -> None:
    features = torch.randn(2, channels, 9, 6, generator=rng()).transpose(2, 3)
    flow, scale = torch.randn(6, 9, 2, 3, generator=rng(1)).permute(3, 2, 0, 1), torch.rand(3, channels, 6, 9)
    if last:
        features = features.contiguous(memory_format=torch.channels_last)
    keys = torch.tensor([0, 1, 1])
    expected = warp(features.double(), flow.double(), scale.double(), "zeros", "reference", keys)
    back.close(back(features, flow, scale, "zeros", keys=keys), expected)
    one = features[:1].expand(3, -1, -1, -1)
    back.close(back(one, flow, scale), warp(one.double(), flow.double(), scale.double(), backend="reference"))


def test_the_scale_multiplies_the_warp() -> None:
    features, flow, scale = (torch.randn(1, 2, 3, 4, generator=rng(seed)) for seed in range(3))
    assert torch.equal(warp(features, flow, scale), warp(features, flow) * scale)


def test_positions_keep_single_precision_for_half_precision_features() -> None:
    features = torch.randn(1, 1, 2, 300, generator=rng()).bfloat16()
    flow = torch.full((1, 2, 2, 300), 0.25)
    flow[:, 1] = 0
    exact = warp(features.float(), flow)
    assert torch.equal(warp(features, flow), exact.bfloat16())
    assert warp(features, flow.bfloat16()).dtype == torch.bfloat16


def test_an_unknown_rule_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"'mirror'.*aten, zeros, clamp"):
        warp(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2), border="mirror")
