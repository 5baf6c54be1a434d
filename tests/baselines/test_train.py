"""Training on a small synth: from scratch, resumed after a kill, refused where settings differ."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from safetensors.torch import load_file, save_file  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import (  # noqa: E402
    flow_gate,
    presets,
    train,
    train_loop,
    train_starts,
    train_task,
    weights,
)
from vipbench.baselines.presets import Preset  # noqa: E402
from vipbench.baselines.recipes import RECIPES  # noqa: E402
from vipbench.baselines.samples import Samples  # noqa: E402
from vipbench.datasets.synth import Synth, SynthDavis  # noqa: E402


@pytest.fixture(scope="module")
def root(small_synth: Path) -> Path:
    return small_synth


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages of a few steps on a canvas of 48x80, without pictures."""
    load = presets.load

    def shortened(name: str, task: str) -> Preset:
        p = load(name, task)
        return replace(
            p,
            input=replace(p.input, height=48, width=80, min_side=45),
            frame=replace(p.frame, steps=4, batch=2),
            flow_stage=replace(p.flow_stage, steps=2, batch=2),
            temporal=replace(p.temporal, steps=2, batch=2),
        )

    monkeypatch.setattr(presets, "load", shortened)
    monkeypatch.setattr(train_loop, "SAVE_EVERY", 2)
    monkeypatch.setattr(train, "draw", lambda rows, path, title: None)
    for module, name in ((train_task, "HELD_OUT"), (flow_gate, "HELD_OUT"), (flow_gate, "CLIPS")):
        monkeypatch.setattr(module, name, 2)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the frame and flow models of a test are kept for the others."""
    return tmp_path_factory.mktemp("starts")


def same(a: Path, b: Path) -> bool:
    one, two = load_file(a), load_file(b)
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize(("kind", "task"), [(Synth, "vip"), (SynthDavis, "davis")])
def test_aten_from_scratch_starts_from_its_frame_and_flow_models(
    kind: Any, task: str, root: Path, tmp_path: Path
) -> None:
    seen: dict[str, list[float]] = {}

    def progress(title: str, step: int, steps: int, losses: dict[str, float]) -> None:
        seen.setdefault(title, []).append(sum(losses.values()))

    path = train.train("aten", "tiny", kind(root), tmp_path, progress=progress)
    assert path.name == f"tiny-aten-{task}.safetensors"
    stems = (f"tiny-aten-{task}", "tiny-flow", f"tiny-frame-{task}")
    expected = {f"{stem}.{kind}" for stem in stems for kind in ("csv", "safetensors")}
    assert {p.name for p in tmp_path.glob("tiny-*")} == expected
    assert list(seen) == ["frame", "flow", "aten"]
    assert all(0 < loss < 100 for losses in seen.values() for loss in losses)
    frame, aten = load_file(tmp_path / f"tiny-frame-{task}.safetensors"), load_file(path)
    frozen = "features.resnet.bn1.running_mean"  # ATEN keeps the frame model's statistics
    assert torch.equal(frame[frozen], aten[frozen])
    assert not torch.equal(frame["features.decode1.weight"], aten["features.decode1.weight"])


@pytest.mark.parametrize("method", RECIPES)
def test_a_killed_training_ends_with_the_same_files(
    method: str, root: Path, starts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every method; what it starts from is trained once."""
    monkeypatch.setattr(train_loop, "SAVE_EVERY", 1)
    data = SynthDavis(root)
    for start in RECIPES[method].starts:
        trained = train.train(start, "tiny", data, starts)
        for home in ("whole", "cut"):
            (tmp_path / home).mkdir(exist_ok=True)
            (tmp_path / home / trained.name).write_bytes(trained.read_bytes())
    whole = train.train(method, "tiny", data, tmp_path / "whole")
    plain = Samples.rng

    def dies(self: Samples, step: int, position: int) -> Any:
        if (step, position) == (1, 1):  # after the checkpoint of step 1
            raise KeyboardInterrupt
        return plain(self, step, position)

    with monkeypatch.context() as patch:
        patch.setattr(Samples, "rng", dies)
        with pytest.raises(KeyboardInterrupt):
            train.train(method, "tiny", data, tmp_path / "cut")
    assert {p.suffix for p in (tmp_path / "cut").glob(f"{whole.stem}.*")} == {".checkpoint", ".csv"}
    cut = train.train(method, "tiny", data, tmp_path / "cut")
    assert same(cut, whole)
    assert weights.about(cut) == weights.about(whole)
    assert cut.with_suffix(".csv").read_text() == whole.with_suffix(".csv").read_text()


def test_frame_and_flow_models_reach_every_method(root: Path, starts: Path) -> None:
    """Untrained, a temporal method has the tensors of the models that it starts from."""
    data, sizes = SynthDavis(root), presets.load("tiny", "davis")
    for method, recipe in RECIPES.items():
        net = recipe.build(sizes)
        for start in recipe.starts:
            path = train.train(start, "tiny", data, starts)
            weights.initialise(train._part(net, start), path)
            prefix = "flow." if start in ("flow", "flow-quarter") else ""
            own = net.state_dict()
            for name, tensor in load_file(path).items():
                assert torch.equal(own[prefix + name], tensor.to(own[prefix + name]))
        assert ("flow.conv1.0.weight" in net.state_dict()) == bool(recipe.starts), method


def test_aten_fast_learns_in_every_part(root: Path, starts: Path) -> None:
    """From the frame model and FlowNet-S of small images, with a unit and a refinement of its own."""
    names = ("frame", "flow-quarter", "aten-fast")
    paths = {name: train.train(name, "tiny", SynthDavis(root), starts) for name in names}
    frame, flow, fast = (load_file(path) for path in paths.values())
    about = weights.about(paths["aten-fast"])
    assert all(about[f"start_{name}"] == train_starts.digest(paths[name]) for name in names[:2])
    begun = frame | {f"flow.{name}": tensor for name, tensor in flow.items()}
    own = {name for name in fast if name.startswith(("gru.", "reduce.", "expand.", "refine."))}
    assert begun.keys() | own == fast.keys()
    for name in ("features.resnet.conv1.weight", "head.atrous.0.weight", "flow.conv1.0.weight"):
        assert not torch.equal(fast[name], begun[name])
    norm = "features.resnet.bn1.running_mean"  # does not learn here
    assert torch.equal(fast[norm], frame[norm])
    assert fast["refine.correct.weight"].any()


def test_curves_lie_beside_the_weights(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where matplotlib is there; else a note says why not."""
    drawn: list[tuple[Path, str]] = []
    monkeypatch.setattr(train, "draw", lambda rows, path, title: drawn.append((path, title)))
    path = train.train("flow", "tiny", Synth(root), tmp_path)
    assert drawn == [(path.with_suffix(".png"), "tiny-flow")]

    def absent(rows: Any, path: Path, title: str) -> None:
        raise ImportError

    monkeypatch.setattr(train, "draw", absent)
    notes: list[str] = []
    train.train("flow", "tiny", Synth(root), tmp_path / "again", note=notes.append)
    assert "tiny-flow.png is not drawn: it needs matplotlib" in notes[0]


def test_what_was_trained_with_other_settings_is_not_taken(root: Path, tmp_path: Path) -> None:
    train.train("flow", "tiny", Synth(root), tmp_path)
    with pytest.raises(UserError, match=r"tiny-flow.* was trained with .*'seed': '0'.*Choose another --out"):
        train.train("flow", "tiny", Synth(root), tmp_path, seed=1)


def test_flow_is_the_same_for_both_tasks(root: Path, tmp_path: Path) -> None:
    one = train.train("flow", "tiny", Synth(root), tmp_path / "a")
    assert same(one, train.train("flow", "tiny", SynthDavis(root), tmp_path / "b"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seed": -1}, "seed -1: expected 0 or more"),
        ({"device": "cuda:77"}, "device 'cuda:77' is not to be had here"),
        ({"device": "meta"}, "device 'meta' is not to be had here"),
        ({"preset": "huge"}, "unknown preset 'huge'"),
    ],
)
def test_bad_requests_write_nothing(asked: dict[str, Any], message: str, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        train.train("frame", asked.pop("preset", "tiny"), Synth(root), tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_a_damaged_checkpoint_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-frame-vip.checkpoint").write_bytes(b"rubbish")
    with pytest.raises(UserError, match=r"tiny-frame-vip\.checkpoint: damaged checkpoint"):
        train.train("frame", "tiny", Synth(root), tmp_path)


def test_weights_of_another_shape_start_nothing(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1, 1)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"weight is \[1, 1\], expected \[4, 3\]"):
        weights.initialise(torch.nn.Linear(3, 4), tmp_path / "w.safetensors")


def test_a_backbone_reaches_the_frame_model_and_is_told(root: Path, tmp_path: Path) -> None:
    sizes = presets.load("tiny", "vip")
    resnet = RECIPES["frame"].build(sizes).features.resnet  # type: ignore[union-attr]
    torch.save(resnet.state_dict(), tmp_path / "r.pth")
    job = train.Job(sizes, Synth(root), tmp_path, backbone=tmp_path / "r.pth")
    begun: Any = train._begun(RECIPES["frame"], {}, job)
    assert torch.equal(begun.features.resnet.layer1[0].conv1.weight, resnet.layer1[0].conv1.weight)
    train.train("frame", "tiny", Synth(root), tmp_path, backbone=tmp_path / "r.pth")
    about = weights.about(tmp_path / "tiny-frame-vip.safetensors")
    assert about["backbone"].startswith("r.pth ")
    with pytest.raises(UserError, match="Choose another --out"):
        train.train("frame", "tiny", Synth(root), tmp_path)


def test_unknown_method(root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="'copy-first' cannot be trained; there are: frame, flow, flow-quarter, dff"
    ):
        train.train("copy-first", "tiny", Synth(root), tmp_path)
