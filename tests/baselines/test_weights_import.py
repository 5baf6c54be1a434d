"""Weights of others become ours: every tensor once, and layers that compute what they did there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
h5py = pytest.importorskip("h5py", reason="Keras files need h5py: pip install 'vipbench[h5]'")

from keras_files import arrays, frame_graph, video_graph, write  # noqa: E402
from made_flow_files import pytorch_state  # noqa: E402
from made_video import addresses, made, photos  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.weights_import import import_weights  # noqa: E402
from vipbench.baselines.weights_keras import keras_shapes, keras_slots  # noqa: E402
from vipbench.cli import main  # noqa: E402
from vipbench.errors import UserError  # noqa: E402

SMALL = "tiny-released"


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    return arrays(video_graph(presets.load(SMALL, "vip")))


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
