"""Imported layers compute what they did in Keras: each against its definition in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
pytest.importorskip("h5py", reason="Keras files need h5py: pip install 'vipbench[h5]'")

from keras_files import arrays, video_graph, write  # noqa: E402
from keras_layers import chw, close, convolved, data, spread  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.weights_import import import_weights  # noqa: E402

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


def test_a_step_of_the_convlstm(tmp_path: Path) -> None:
    """Keras's ConvLSTM2D packs input gate, forget gate, candidate, output gate."""
    sizes, name = presets.load(SMALL, "vip"), "lstm_recurrent_unit"
    theirs = arrays(video_graph(sizes, "lstm"), seed=4)
    found = import_weights(write(tmp_path / "lstm.h5", theirs), tmp_path, SMALL)
    net = AtenNet(sizes, "lstm")
    weights.load(net, found.path)
    x, h, c = (data(4, 5, 40, seed=s) for s in (1, 2, 3))
    kernels, states, biases = (
        np.split(theirs[f"{name}/{w}"].astype(float), 4, -1) for w in ("kernel", "recurrent_kernel", "bias")
    )
    parts = zip(kernels, states, biases, strict=True)
    i, f, new, o = (convolved(x, k) + convolved(h, s) + b for k, s, b in parts)
    i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
    c_next = f * c + i * np.tanh(new)
    step = net.double().lstm.step(chw(x), (chw(h), chw(c)))
    for ours, expected in zip(step, (o * np.tanh(c_next), c_next), strict=True):
        close(ours, chw(expected).numpy())


def test_the_rpn_has_a_cell_s_anchors_together_background_first(ours: Any, theirs: dict[str, Any]) -> None:
    """Keras reshapes [H, W, 2 * anchors] to [anchors, (background, person)], deltas to (dy, dx, dh, dw)."""
    x = data(3, 4, 40)
    w = {name: array.astype(float) for name, array in theirs.items() if name.startswith("rpn_")}
    shared = np.maximum(convolved(x, w["rpn_conv_shared/kernel"]) + w["rpn_conv_shared/bias"], 0)
    logits, deltas = ours.head.rpn(chw(x))
    for found, layer, last in ((logits, "rpn_class_raw", 2), (deltas, "rpn_bbox_pred", 4)):
        raw = convolved(shared, w[f"{layer}/kernel"], pad=0) + w[f"{layer}/bias"]
        close(found[0], raw.reshape(-1, last))
    scores = torch.zeros(2, 2, dtype=torch.float64)
    scores[0, 1] = 5  # of a person
    boxes = torch.tensor([[0.0, 0, 8, 8], [20, 20, 40, 40]], dtype=torch.float64)
    first = ours.head.proposals(scores, torch.zeros(2, 4, dtype=torch.float64), boxes, (64, 64))[0]
    assert first.tolist() == [0, 0, 8, 8]


def test_the_box_head_has_the_persons_deltas_second(ours: Any, theirs: dict[str, Any]) -> None:
    """Keras reshapes [rois, classes * 4] to [rois, classes, 4]: background's four, then the person's."""
    x = data(7, 7, 40)
    w = {name: array.astype(float) for name, array in theirs.items() if name.startswith("mrcnn_")}
    for layer in ("mrcnn_class_conv1", "mrcnn_class_conv2"):
        x = np.maximum(convolved(x, w[f"{layer}/kernel"], pad=0) + w[f"{layer}/bias"], 0)
    scores, deltas = ours.head.box(chw(data(7, 7, 40)))
    flat, logits, boxes = x.reshape(1, -1), "mrcnn_class_pascal_logits", "mrcnn_bbox_pascal_fc"
    close(scores, flat @ w[f"{logits}/kernel"] + w[f"{logits}/bias"])
    raw = flat @ w[f"{boxes}/kernel"] + w[f"{boxes}/bias"]
    close(deltas, raw.reshape(1, 2, 4)[:, 1])


def test_the_masks_dense_layer_has_the_class_fastest(ours: Any, theirs: dict[str, Any]) -> None:
    """Keras reshapes its 28 * 28 * 2 outputs to [28, 28, classes]; here the person's mask is [:, 1]."""
    side, x = ours.head.mask.side, data(14, 14, 16)
    kernel, bias = (theirs[f"time_distributed_1/{w}"].astype(float) for w in ("kernel", "bias"))
    outputs = np.tensordot(x, kernel, 3) + bias
    raw = side.fc(chw(x)).reshape(-1)
    close(raw, outputs)
    seen = {}
    side.fc.register_forward_hook(lambda _, __, result: seen.update(raw=result.detach()))
    masks = side(chw(data(14, 14, 32)))
    expected = seen["raw"].numpy().reshape(28, 28, 2)
    close(masks[0], np.moveaxis(expected, 2, 0).copy())
