"""FlowNet-S of FlowNetPytorch becomes ours: colours, units and every layer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from keras_layers import chw, convolved, data  # noqa: E402
from made_flow_files import pytorch_state  # noqa: E402
from made_video import made  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, train, weights  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS  # noqa: E402
from vipbench.baselines.weights_import import import_weights  # noqa: E402


def imported_flow(state: Any, folder: Path) -> Any:
    torch.save(state, folder / "flownets.pth")
    found = import_weights(folder / "flownets.pth", folder, "tiny")
    assert (found.path.name, found.method) == ("tiny-flow.safetensors", "flow")
    sizes = presets.load("tiny", "vip")
    net = FlowNetS(sizes.flow, sizes.features.channels)
    weights.load(net, found.path)
    return net.double()


@pytest.mark.parametrize("caffe", [False, True])
def test_flownet_of_flownetpytorch_sees_the_same_colours(caffe: bool, tmp_path: Path) -> None:
    """Its first layer on images / 255 - (.45, .432, .411) is ours on the method's own canvas.

    It sees RGB, but BGR where it was Caffe's: such files have biases in all layers.
    """
    state = pytorch_state(bias=caffe)
    net = imported_flow({"arch": "flownets", "state_dict": state, "div_flow": 20}, tmp_path)
    photos = np.random.default_rng(3).integers(0, 256, (2, 40, 48, 3))
    order = slice(None, None, -1 if caffe else 1)
    stacked = np.concatenate([(photo / 255 - [0.45, 0.432, 0.411])[..., order] for photo in photos], -1)
    kernel, bias = (state[f"conv1.0.{k}"].double().numpy() for k in ("weight", "bias"))
    expected = convolved(stacked, kernel.transpose(2, 3, 1, 0), 2, 3) + bias
    seen: list[Any] = []
    net.conv1[0].register_forward_hook(lambda _, __, result: seen.append(result.clone()))
    images = [chw(photo - [123.7, 116.8, 103.9]) for photo in photos]
    net(*images)
    inside = np.s_[2:-2, 2:-2]  # where the kernel does not cross the border
    torch.testing.assert_close(
        seen[0][0].permute(1, 2, 0)[inside], torch.from_numpy(expected[inside]), atol=1e-6, rtol=1e-6
    )


def test_flownets_other_layers_are_as_they_were(tmp_path: Path) -> None:
    state = pytorch_state()
    net = imported_flow({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path).float()
    found = net.state_dict()
    assert torch.equal(found["conv5.1.0.weight"], state["conv5_1.0.weight"])
    assert torch.equal(found["deconv.3.0.weight"], state["deconv2.0.weight"])
    assert torch.equal(found["upsample.0.weight"], state["upsampled_flow6_to_5.weight"])
    assert torch.equal(found["predict.4.weight"], state["predict_flow2.weight"])
    assert not found["predict.4.bias"].any()
    assert torch.equal(found["scale.bias"], torch.ones(40))
    assert not found["scale.weight"].any()


def test_flownet_with_all_biases(tmp_path: Path) -> None:
    state = pytorch_state(bias=True)
    found = imported_flow(state, tmp_path).float().state_dict()
    assert torch.equal(found["deconv.1.0.bias"], state["deconv4.0.bias"])


@pytest.mark.parametrize("div_flow", [20, 1.0, 64])
def test_flownets_flow_is_in_pixels_of_its_own_unit(div_flow: float, tmp_path: Path) -> None:
    """An output of one is div_flow pixels there and 20 here, at each scale; the decoder sees the same."""
    state = pytorch_state(bias=True)
    images = [chw(data(64, 64, 3, seed=s) * 50) for s in (1, 2)]
    plain = imported_flow({"state_dict": state}, tmp_path)
    scaled = imported_flow({"state_dict": state, "div_flow": div_flow}, tmp_path)
    (flows, last), (expected, decoded) = scaled.pyramid(*images), plain.pyramid(*images)
    for found, pixels in zip(flows, expected, strict=True):
        torch.testing.assert_close(found * 20, pixels * div_flow, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(last, decoded, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("unit", [0, -20, "20", float("inf"), float("nan"), None])
def test_a_unit_that_is_none_is_refused(unit: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"flownets\.pth: div_flow is .*, expected pixels, a number above 0"):
        imported_flow({"state_dict": pytorch_state(), "div_flow": unit}, tmp_path)


def test_training_starts_from_imported_weights_as_they_are(tmp_path: Path) -> None:
    """Where FlowNet-S is imported into its folder, others start from it and it is never trained over."""
    torch.save(pytorch_state(), tmp_path / "flownets.pth")
    path = import_weights(tmp_path / "flownets.pth", tmp_path, "tiny").path
    data = made("davis")
    data.version = "1"  # type: ignore[misc]
    before = path.read_bytes()
    job = train.Job(presets.load("tiny", "davis"), data, tmp_path)
    assert train._trained("flow", job, as_start=True) == path
    with pytest.raises(UserError, match=r"holds imported weights \(flownets\.pth\)"):
        train.train("flow", "tiny", data, tmp_path)
    assert path.read_bytes() == before
