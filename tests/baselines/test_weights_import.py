"""Weights of others become ours: every tensor once, and layers that compute what they did there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
h5py = pytest.importorskip("h5py", reason="Keras files need h5py: pip install 'vipbench[h5]'")

from keras_files import arrays, frame_graph, video_graph, write  # noqa: E402
from made_video import addresses, made, photos  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import AtenNet, FrameNet  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS  # noqa: E402
from vipbench.baselines.train import train  # noqa: E402
from vipbench.baselines.weights_import import import_weights  # noqa: E402
from vipbench.baselines.weights_keras import keras_shapes, keras_slots  # noqa: E402
from vipbench.cli import main  # noqa: E402
from vipbench.errors import UserError  # noqa: E402

SMALL = "tiny-released"


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    return arrays(video_graph(presets.load(SMALL, "vip")))


@pytest.fixture(scope="module")
def ours(theirs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The network with the imported weights, in double precision."""
    folder = tmp_path_factory.mktemp("import")
    found = import_weights(write(folder / "aten_p2l3.h5", theirs), folder, SMALL)
    assert (found.path.name, found.method) == (f"{SMALL}-aten-vip.safetensors", "aten")
    net = AtenNet(presets.load(SMALL, "vip"))
    weights.load(net, found.path)
    return net.eval().double()


def data(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def chw(x: Any) -> Any:
    """[H, W, C] -> [1, C, H, W]."""
    return torch.from_numpy(x).permute(2, 0, 1)[None]


def convolved(x: Any, kernel: Any, stride: int = 1, pad: int = 1) -> Any:
    """Keras's convolution of x [H, W, in] with [h, w, in, out], tap by tap."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    side = kernel.shape[0]
    rows, columns = ((n - side) // stride + 1 for n in x.shape[:2])
    taps = (
        x[i : i + rows * stride : stride, j : j + columns * stride : stride] @ kernel[i, j].astype(float)
        for i in range(side)
        for j in range(side)
    )
    return sum(taps)


def spread(x: Any, kernel: Any, stride: int = 2) -> Any:
    """Keras's transposed convolution, valid: each cell of x [H, W, in] lays down [h, w, out, in]."""
    side, outputs = kernel.shape[0], kernel.shape[2]
    out = np.zeros(((x.shape[0] - 1) * stride + side, (x.shape[1] - 1) * stride + side, outputs))
    for row, column in np.ndindex(*x.shape[:2]):
        place = np.s_[row * stride : row * stride + side, column * stride : column * stride + side]
        out[place] += kernel.astype(float) @ x[row, column]
    return out


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-9, rtol=1e-9)


def test_the_first_convolution_and_a_batch_norm(ours: Any, theirs: dict[str, Any]) -> None:
    x = data(11, 13, 3)
    close(ours.features.resnet.conv1(chw(x)), chw(convolved(x, theirs["conv1/kernel"], 2, 3)).numpy())
    y, bn = data(4, 5, 16), {w: theirs[f"bn2a_branch2b/{w}"].astype(float) for w in ("gamma", "beta")}
    mean, variance = (theirs[f"bn2a_branch2b/moving_{w}"].astype(float) for w in ("mean", "variance"))
    expected = (y - mean) / np.sqrt(variance + 1e-3) * bn["gamma"] + bn["beta"]
    close(ours.features.resnet.layer1[0].bn2(chw(y)), chw(expected).numpy())


def test_a_dense_layer_and_the_masks_transposed_convolution(ours: Any, theirs: dict[str, Any]) -> None:
    x = data(3, 32)
    kernel, bias = (theirs[f"mrcnn_bbox_pascal_fc/{w}"].astype(float) for w in ("kernel", "bias"))
    close(ours.head.box.delta(torch.from_numpy(x)), x @ kernel + bias)
    y, name = data(3, 2, 32), "mrcnn_mask_deconv"
    expected = spread(y, theirs[f"{name}/kernel"]) + theirs[f"{name}/bias"]
    close(ours.head.mask.deconv(chw(y)), chw(expected).numpy())


def test_flownets_transposed_convolution_is_theirs_cropped(ours: Any, theirs: dict[str, Any]) -> None:
    x, name = data(3, 4, 64), "flownet_s1_deconv5"
    full = spread(x, theirs[f"{name}/kernel"]) + theirs[f"{name}/bias"]
    expected = full[1:-1, 1:-1]
    close(ours.flow.deconv[0](chw(x)), chw(np.where(expected > 0, expected, 0.1 * expected)).numpy())


def test_a_step_of_the_convgru(ours: Any, theirs: dict[str, Any]) -> None:
    x, h, name = data(4, 5, 40), data(4, 5, 40, seed=2), "gru_recurrent_unit"
    kernels, states, biases = (
        np.split(theirs[f"{name}/{w}"].astype(float), 3, -1) for w in ("kernel", "recurrent_kernel", "bias")
    )
    inputs = [convolved(x, k) + b for k, b in zip(kernels, biases, strict=True)]
    z, r = (np.clip(0.2 * (inputs[i] + convolved(h, states[i])) + 0.5, 0, 1) for i in (0, 1))
    c = np.tanh(inputs[2] + convolved(r * h, states[2]))
    (found,) = ours.gru.step(chw(x), (chw(h),))
    close(found, chw((1 - z) * h + z * c).numpy())


def test_what_is_not_learnt_is_as_in_the_released_graph(ours: Any) -> None:
    assert torch.equal(ours.flow.scale.bias, torch.ones(40, dtype=torch.float64))
    assert ours.flow.factor == 20


def test_every_value_arrives_once(ours: Any, theirs: dict[str, Any]) -> None:
    """The learnt numbers are the same multiset."""
    arrived = [t for n, t in ours.state_dict().items() if not n.endswith("num_batches_tracked")]
    arrived = torch.cat([t.flatten() for t in arrived]).sort().values
    sent = np.sort(np.concatenate([*(a.ravel() for a in theirs.values()), np.ones(40)]))
    close(arrived, sent.astype(float))


@pytest.mark.parametrize("unit", ["gru", "lstm"])
def test_full_size_names_and_shapes(unit: str) -> None:
    """On the meta device: the graph of the released code layer by layer, ResNet-50 and 256 channels."""
    sizes = presets.load("paper-vip-released", "vip")
    with torch.device("meta"):
        nets = FrameNet(sizes), AtenNet(sizes, unit)
    for net, graph in zip(nets, (frame_graph(sizes), video_graph(sizes, unit)), strict=True):
        graph = {name.replace("time_distributed_1/", "mrcnn_mask_fc/"): s for name, s in graph.items()}
        assert keras_shapes(net, keras_slots(net)) == graph


def test_the_frame_model_and_a_whole_model_and_the_lstm(tmp_path: Path) -> None:
    sizes = presets.load(SMALL, "vip")
    frame = import_weights(
        write(tmp_path / "parsing_rcnn.h5", arrays(frame_graph(sizes)), "model_weights"), tmp_path, SMALL
    )
    lstm = import_weights(write(tmp_path / "lstm.h5", arrays(video_graph(sizes, "lstm"))), tmp_path, SMALL)
    assert (frame.method, lstm.method) == ("frame", "aten-lstm")
    told = weights.load(FrameNet(sizes), frame.path)
    assert told.items() >= {"method": "frame", "preset": SMALL, "imported": "parsing_rcnn.h5"}.items()
    weights.load(AtenNet(sizes, "lstm"), lstm.path)


def without(graph: dict[str, Any], name: str, **others: Any) -> dict[str, Any]:
    return {n: a for n, a in graph.items() if n != name} | {
        n.replace("__", "/"): a for n, a in others.items()
    }


@pytest.mark.parametrize(
    ("name", "others", "words"),
    [
        ("conv1/kernel", {}, "1 tensors differ: missing conv1/kernel"),
        ("", {"dense_9__kernel": np.zeros((2, 2), "f4")}, "1 tensors differ: unexpected dense_9/kernel"),
        ("", {"conv1__kernel": np.zeros((7, 7, 4, 16), "f4")}, r"conv1/kernel is \[7, 7, 4, 16\], expected"),
        ("", {"conv1__kernel": np.zeros((7, 7, 3, 16))}, "conv1/kernel:0 is of type float64, expected"),
        ("", {"time_distributed_2__kernel": np.zeros(3, "f4")}, "several layers are called time_distributed"),
        ("", {"rpn_class_raw__note": np.bytes_("x")}, "rpn_class_raw/rpn_class_raw/note:0 is of type"),
    ],
)
def test_refused_weights(
    name: str, others: dict[str, Any], words: str, theirs: dict[str, Any], tmp_path: Path
) -> None:
    file = write(tmp_path / "w.h5", without(theirs, name, **others))
    with pytest.raises(UserError, match=words):
        import_weights(file, tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_refused_files(theirs: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights file"):
        import_weights(tmp_path / "w.h5", tmp_path)
    file = write(tmp_path / "w.h5", theirs)
    with pytest.raises(UserError, match=r"not the weights of preset paper-vip-released, \d+ tensors differ"):
        import_weights(file, tmp_path)
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"w\.h5: not a readable HDF5 file"):
        import_weights(file, tmp_path, SMALL)


@pytest.mark.parametrize(
    "kind", ["external link", "soft link", "whole model", "external data", "compressed", "deep"]
)
def test_nothing_outside_the_file_and_no_filter(kind: str, theirs: dict[str, Any], tmp_path: Path) -> None:
    file = write(tmp_path / "w.h5", without(theirs, "conv1/kernel"))
    (tmp_path / "raw").write_bytes(theirs["conv1/kernel"].tobytes())
    with h5py.File(file, "a") as h5:
        options: dict[str, Any] = {"external": [(str(tmp_path / "raw"), 0, 7 * 7 * 3 * 16 * 4)]}
        if kind == "external link":
            h5["conv1/conv1/kernel:0"] = h5py.ExternalLink("other.h5", "/kernel")
        elif kind == "soft link":
            h5["conv1/conv1/kernel:0"] = h5py.SoftLink("/bn_conv1/bn_conv1/gamma:0")
        elif kind == "whole model":
            h5["model_weights"] = h5py.ExternalLink(str(file), "/")
        elif kind == "deep":
            h5["bn_conv1/bn_conv1/again"] = h5["bn_conv1"]
        else:
            options = options if kind == "external data" else {"compression": "gzip"}
            h5.create_dataset("conv1/conv1/kernel:0", (7, 7, 3, 16), "f4", **options)
    words = {"deep": "groups within each other", "compressed": "compressed", "external data": "another file"}
    with pytest.raises(UserError, match=words.get(kind, "is a link; expected")):
        import_weights(file, tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def pytorch_state(bias: bool = False) -> dict[str, Any]:
    """FlowNet-S of the preset tiny in FlowNetPytorch's names."""
    sizes = presets.load("tiny", "vip").flow
    c1, c2, c3, c4, c5, c6 = sizes.encoder
    convs = [("conv1", 6, c1, 7), ("conv2", c1, c2, 5), ("conv3", c2, c3, 5), ("conv3_1", c3, c3, 3)]
    for i, (inputs, outputs) in enumerate(((c3, c4), (c4, c5), (c5, c6)), 4):
        convs += [(f"conv{i}", inputs, outputs, 3), (f"conv{i}_1", outputs, outputs, 3)]
    shapes = {f"{name}.0.weight": (outputs, inputs, k, k) for name, inputs, outputs, k in convs}
    shapes |= {f"{name}.0.bias": (outputs,) for name, _, outputs, _ in convs}
    inputs = c6
    for level, skip, width in zip((6, 5, 4, 3), (c5, c4, c3, c2), sizes.decoder, strict=True):
        shapes[f"predict_flow{level}.weight"] = (2, inputs, 3, 3)
        shapes[f"deconv{level - 1}.0.weight"] = (inputs, width, 4, 4)
        shapes[f"upsampled_flow{level}_to_{level - 1}.weight"] = (2, 2, 4, 4)
        if bias:
            shapes[f"predict_flow{level}.bias"] = shapes[f"upsampled_flow{level}_to_{level - 1}.bias"] = (2,)
            shapes[f"deconv{level - 1}.0.bias"] = (width,)
        inputs = skip + width + 2
    shapes["predict_flow2.weight"] = (2, inputs, 3, 3)
    return {name: torch.from_numpy(array) for name, array in arrays(shapes).items()}


def imported_flow(state: Any, folder: Path) -> Any:
    torch.save(state, folder / "flownets.pth")
    found = import_weights(folder / "flownets.pth", folder, "tiny")
    assert (found.path.name, found.method) == ("tiny-flow.safetensors", "flow")
    sizes = presets.load("tiny", "vip")
    net = FlowNetS(sizes.flow, sizes.features.channels)
    weights.load(net, found.path)
    return net.double()


def test_flownet_of_flownetpytorch_sees_the_same_colours(tmp_path: Path) -> None:
    """Its first layer on images / 255 - (.45, .432, .411), RGB, is ours on the method's own canvas, BGR."""
    state = pytorch_state()
    net = imported_flow({"arch": "flownets", "state_dict": state, "div_flow": 20}, tmp_path)
    photos = np.random.default_rng(3).integers(0, 256, (2, 40, 48, 3))
    stacked = np.concatenate([photo / 255 - [0.45, 0.432, 0.411] for photo in photos], -1)
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


class Code:
    """Runs when a pickle of it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_refused_pytorch_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file, state = tmp_path / "w.pth", pytorch_state()
    for content, words in (
        (Code(), "neither HDF5 nor a PyTorch file of nothing but tensors"),
        ([1, 2], "expected a dictionary of tensors"),
        ({"state_dict": {"a": 1}}, "expected a dictionary of tensors"),
        (without(state, "conv6.0.weight"), "1 tensors differ: missing conv6.0.weight"),
        (state | {"conv1.1.weight": torch.ones(16)}, "1 tensors differ: unexpected conv1.1.weight"),
    ):
        torch.save(content, file)
        with pytest.raises(UserError, match=words):
            import_weights(file, tmp_path / "out", "tiny")
    file.write_bytes(b"rubbish")
    with pytest.raises(UserError, match="neither HDF5 nor"):
        import_weights(file, tmp_path / "out", "tiny")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_commands(theirs: dict[str, Any], tmp_path: Path) -> None:
    file, out = write(tmp_path / "aten_p2l3.h5", theirs), tmp_path / "weights"
    done = CliRunner().invoke(main, ["weights", "import", str(file), "--out", str(out), "--preset", SMALL])
    path = out / f"{SMALL}-aten-vip.safetensors"
    assert done.exit_code == 0, done.output
    assert f"vipbench run --method aten -o preset={SMALL} -o weights={path}" in done.output
    shown = CliRunner().invoke(main, ["weights", "show", str(path)])
    assert "imported: aten_p2l3.h5\nmethod: aten\npreset: tiny-released\n" in shown.output
    bad = CliRunner().invoke(main, ["weights", "import", str(file), "--out", str(out), "--preset", "huge"])
    assert bad.exit_code == 1
    assert "unknown preset 'huge'" in bad.output


def test_training_starts_from_imported_weights_as_they_are(tmp_path: Path) -> None:
    """Where FlowNet-S is imported into its folder, training does not make its own."""
    torch.save(pytorch_state(), tmp_path / "flownets.pth")
    path = import_weights(tmp_path / "flownets.pth", tmp_path, "tiny").path
    data = made("davis")
    data.version = "1"  # type: ignore[misc]
    before = path.read_bytes()
    assert train("flow", "tiny", data, tmp_path) == path
    assert path.read_bytes() == before


def test_methods_run_with_imported_weights(theirs: dict[str, Any], tmp_path: Path) -> None:
    """The released graph from photo to parsing: hard gates, batch statistics, the side branch."""
    aten = import_weights(write(tmp_path / "aten.h5", theirs), tmp_path, SMALL).path
    frame_weights = arrays(frame_graph(presets.load(SMALL, "vip")))
    frame = import_weights(write(tmp_path / "frame.h5", frame_weights), tmp_path, SMALL).path
    video = addresses(range(7), root=photos(tmp_path, range(7)))
    for method in (
        Aten(made(), preset=SMALL, weights=aten),
        FrameMethod(made(), preset=SMALL, weights=frame),
    ):
        parsings = [parsing for _, parsing in method.predict(video)]
        assert len(parsings) == 7
        assert all(p.category is not None and p.category.ids.shape == (48, 70) for p in parsings)
