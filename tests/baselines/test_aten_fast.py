"""The options that move ATEN's costs: what each computes, by its definition, and what it costs."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

import torch.nn.functional as F  # noqa: E402
from made_video import made  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.aten_fast import AtenFast  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.nn.convrnn import ConvGRU  # noqa: E402

SIZES = presets.load("tiny", "davis")
C = SIZES.features.channels


def net(**options: Any) -> AtenNet:
    torch.manual_seed(0)
    return AtenNet(SIZES, **options).double().eval()


def maps(n: int, height: int = 8, width: int = 12) -> list[Any]:
    return list(torch.randn(n, 1, C, height, width, generator=torch.Generator().manual_seed(n)).double())


@torch.no_grad()
@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_unit_on_smaller_maps_corrects_the_features(others: int) -> None:
    """x + E(h - R(x)): pooled 2x2, projected to half the channels, and back by the way it came."""
    fast = net(stride=8, width="half")
    *aligned, key = maps(others + 1)
    assert isinstance(fast.gru, ConvGRU)
    reduced = [
        torch.einsum("oc,nchw->nohw", fast.reduce.weight[:, :, 0, 0], F.avg_pool2d(x, 2))  # type: ignore[index, union-attr]
        for x in (*aligned, key)
    ]
    (hidden,) = fast.gru.run(reduced)
    moved = torch.einsum("oc,nchw->nohw", fast.expand.weight[:, :, 0, 0], hidden - reduced[-1])  # type: ignore[index, union-attr]
    expected = key + F.interpolate(moved, key.shape[2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(fast.encode_aligned(key, aligned), expected)


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"carry": True}])
def test_on_maps_of_its_own_size_the_hidden_map_is_the_answer(options: dict[str, Any]) -> None:
    plain = net(**options)
    (key,) = maps(1)
    assert torch.equal(plain.encode(key, key, []), plain.gru([key]))  # type: ignore[operator]


@torch.no_grad()
def test_a_carried_state_is_one_step_a_key() -> None:
    """With a flow of zero nothing moves: the steps of a unit over the keys, started at the first."""
    carried = net(carry=True, align=False)
    far, near, key = maps(3)
    state = (far,)
    for x in (far, near, key):
        state = carried.gru.step(x, state)  # type: ignore[operator, union-attr]
    found = carried.encode(key, key, [(near, near), (far, far)])
    torch.testing.assert_close(found, state[0])


@torch.no_grad()
def test_a_carried_state_moves_with_the_flow() -> None:
    """A flow of two cells of the features is one cell of a state at stride 8."""
    small = net(carry=True, stride=8)
    (state,) = maps(1, 4, 6)
    flow = torch.zeros(1, 2, 8, 12).double()
    flow[:, 0] = 2
    (moved,) = small.carried((state,), flow)
    assert torch.equal(moved[..., :-1], state[..., 1:])


@torch.no_grad()
def test_encoding_in_a_row_carries_from_key_to_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flow is from a key into the key before it in the row, the farthest first."""
    row = net(carry=True)
    pairs = []

    def field(target: Any, reference: Any) -> Any:
        pairs.append((target.mean().item(), reference.mean().item()))
        return torch.zeros(1, 2, 8, 12).double(), torch.ones(1, C, 8, 12).double()

    monkeypatch.setattr(row, "field", field)
    images = [torch.full((1, 3, 32, 48), float(i)).double() for i in range(3)]
    far, near, key = maps(3)
    row.encode(images[2], key, [(images[1], near), (images[0], far)])
    assert pairs == [(1, 0), (2, 1)]


def test_what_it_costs_at_full_size() -> None:
    """By the tables: N_feat, three flows of a quarter, sharpened, a small step at stride 8, heads."""
    step = 101.5 / 4 / 4 + 2 * 256 * 128 * 64 * 112 / 1e9
    flow = 38.26 / 16 + 9 * (26 * 32 + 3 * 32 * 32 + 32 * 2) * 128 * 224 / 1e9
    warp = (5 + 32) * 256 * 128 * 224 / 1e9  # four neighbours and the scale, which is sharpened
    expected = (153.3 + 3 * (flow + warp) + step + 3 * 0.4) / (3 * (153.3 + 0.4))
    found = AtenFast(made("davis"), preset="paper-davis", weights=Path("random")).cost()
    assert found.ratio == pytest.approx(expected, rel=0.01)
    assert found.eq8 is None
    assert found.modules["flow"] / 1e9 == pytest.approx(flow, rel=0.01)
    assert found.modules["warp"] / 1e9 == pytest.approx(warp, rel=0.01)
    assert found.calls == {"features": 1, "flow": 3, "warp": 3, "temporal": 1, "heads": 3}


def test_names_of_trainings() -> None:
    assert Aten.trained_as() == "aten"
    assert Aten.trained_as(flow_input="quarter") == "aten-quarter-flow"
    assert Aten.trained_as(carry=True, stride=8) == "aten-carry-stride8"
    fast = {"flow_input": "quarter", "refine": True, "carry": True, "stride": 8, "width": "half"}
    assert Aten.trained_as(**fast) == "aten-fast"  # type: ignore[arg-type]
    assert Aten.trained_as(unit="lstm", **fast) == "aten-lstm-fast"  # type: ignore[arg-type]


def test_a_variant_without_weights_says_whose_it_runs_with() -> None:
    assert (
        "the weights of aten that come with vipbench, not trained for aten-carry"
        in Aten(made("davis"), carry=True).about
    )


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"width": "half"}, "aten-narrow"),
        ({"refine": True}, "aten-refined"),
        ({"refine": True, "p": 0}, "aten-p0-refined"),
    ],
)
def test_a_variant_with_tensors_of_its_own_runs_with_its_own_weights(
    options: dict[str, Any], name: str
) -> None:
    with pytest.raises(UserError, match=f"no weights come with method {name}, "):
        Aten(made("davis"), **options)


def test_without_a_temporal_unit_its_weights_run_too() -> None:
    fast = Path(weights.__file__).with_name("shipped") / "small-aten-fast-davis.safetensors"
    net = AtenFast(made("davis"), p=0, weights=fast).net
    assert not net.unit
    assert net.refine
