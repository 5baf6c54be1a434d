"""Presets as data: what they say, what the released variant changes, and that the networks follow it."""

from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import addresses  # noqa: E402

from vipbench.baselines import presets, train_loop, train_rules  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.nn.convrnn import hard_sigmoid  # noqa: E402
from vipbench.baselines.recipes import RECIPES  # noqa: E402
from vipbench.errors import UserError  # noqa: E402

RELEASED = {
    "features.tap": "stem",
    "features.norm": "batch",
    "features.guided_norm": "frozen",
    "flow.factor": 20,
    "encoding.gate": "hard_sigmoid",
    "heads.mask_side": True,
    "heads.mask_norm": "batch",
    "heads.proposals": 1000,
}


def flat(preset: presets.Preset) -> dict[str, Any]:
    tables = {key: table for key, table in asdict(preset).items() if isinstance(table, dict)}
    return {f"{key}.{name}": value for key, table in tables.items() for name, value in table.items()}


def test_names() -> None:
    assert presets.names() == ["paper-davis", "paper-vip", "small", "tiny"]
    assert presets.load("paper-vip-released", "vip").name == "paper-vip-released"


@pytest.mark.parametrize(
    ("name", "task"),
    [("paper-vip", "vip"), ("paper-davis", "davis"), ("tiny", "vip"), ("tiny", "davis"), ("small", "davis")],
)
def test_released_changes_what_the_released_code_does_otherwise(name: str, task: str) -> None:
    plain, released = flat(presets.load(name, task)), flat(presets.load(f"{name}-released", task))
    assert released == plain | RELEASED


def test_papers_settings() -> None:
    """Sections 3 and 4 of the paper: what it says of both data sets, and where they differ."""
    vip, davis = presets.load("paper-vip", "vip"), presets.load("paper-davis", "davis")
    assert (vip.input.height, vip.input.width, vip.input.crop) == (512, 512, ())
    assert (davis.input.height, davis.input.width, davis.input.crop) == (512, 896, (384, 640))
    assert (vip.features.tap, vip.heads.proposals, vip.targets.rois) == ("res2", 128, 128)
    assert (vip.flow.factor, vip.encoding.gate, vip.encoding.l, vip.encoding.p) == (5, "sigmoid", 3, 2)
    assert len(vip.heads.scales) * len(vip.heads.ratios) == 15
    assert (vip.features.blocks, davis.features.blocks) == ((3, 4, 6, 3), (3, 4, 23, 3))
    for stage, drop in ((vip.frame, 0.5), (vip.temporal, 0.5), (davis.frame, 0.4), (davis.temporal, 0.4)):
        assert (stage.optimizer, stage.rate, stage.decay, stage.drop) == ("sgd", 1e-3, 2e-4, drop)
    assert replace(davis.features, blocks=vip.features.blocks) == vip.features


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        (
            "paper-vip",
            "davis",
            r"paper-vip is for persons and parts \(vip\).* use one of: paper-davis, small, tiny",
        ),
        (
            "paper-davis-released",
            "vip",
            r"paper-davis-released is for objects .* use one of: paper-vip, tiny",
        ),
        ("released", "vip", "unknown preset 'released'; there are: paper-davis, paper-vip, small, tiny"),
        ("paper", "vip", "unknown preset 'paper'"),
        ("tiny-released-released", "vip", "unknown preset"),
    ],
)
def test_refused(name: str, task: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        presets.load(name, task)


def norms(net: torch.nn.Module) -> set[str]:
    return {m.statistics for m in net.modules() if hasattr(m, "statistics")}  # type: ignore[misc]


def test_networks_follow_the_preset() -> None:
    sizes = presets.load("tiny-released", "vip")
    frame, aten = FrameNet(sizes), AtenNet(sizes)
    assert frame.features.resnet.tap == aten.features.resnet.tap == "stem"
    assert (norms(frame.features), norms(aten.features), norms(aten.head)) == (
        {"batch"},
        {"frozen"},
        {"batch"},
    )
    assert (aten.flow.factor, aten.get_submodule("gru").gate) == (20, hard_sigmoid)
    plain = AtenNet(presets.load("tiny", "vip"))
    assert (plain.flow.factor, plain.get_submodule("gru").gate) == (5, torch.sigmoid)
    assert norms(plain) == {"live"}


@pytest.mark.parametrize("task", ["vip", "davis"])
def test_settings_that_paper_and_released_code_share(task: str) -> None:
    """As the released configuration has them, where the paper does not contradict it."""
    sizes = presets.load(f"paper-{task}", task)
    assert sizes.input.mean == (123.7, 116.8, 103.9)
    heads, targets, windows = sizes.heads, sizes.targets, sizes.windows
    assert (heads.scales, heads.ratios) == ((32, 64, 128, 256, 384), (0.5, 0.75, 1))
    assert (heads.top_k, heads.train_top_k, heads.train_proposals) == (6000, 12000, 2000)
    assert (heads.rpn_nms, heads.score, heads.nms, heads.detections) == (0.7, 0.7, 0.3, 100)
    assert (heads.box_std, heads.mask_threshold, heads.visible) == ((0.1, 0.1, 0.2, 0.2), 0.5, 0.7)
    assert (targets.anchors, int(targets.anchors * targets.anchor_share)) == (256, 128)
    assert (targets.anchor_positive, targets.anchor_negative, targets.roi_positive) == (0.7, 0.3, 0.5)
    assert (targets.rois, int(targets.rois * targets.roi_share)) == (128, 42)
    assert int(42 / targets.roi_share) - 42 == 85
    assert (windows.interval, windows.before + windows.after, windows.references) == (10, 10, 2)
    for stage in (sizes.frame, sizes.temporal):
        assert (stage.momentum, stage.clip, stage.low) == (0.9, 5.0, 0.1)


def others(rule: Any, t: int = 50) -> set[tuple[int, ...]]:
    """What a rule draws beside frame t of a long video, as distances from it."""
    draws, video = np.random.default_rng(0), addresses(list(range(100)))
    return {tuple(k - t for k in rule(video, t, draws)) for _ in range(500)}


def test_training_draws_frames_as_the_preset_says() -> None:
    sizes = presets.load("tiny", "davis")
    sizes = replace(
        sizes,
        encoding=replace(sizes.encoding, l=5, p=3),
        windows=presets.Windows(interval=4, before=1, after=2, references=3),
    )
    assert others(train_rules.dff_key(sizes)) == {(-3,), (-2,), (-1,), (0,)}
    triples = {tuple(sorted(drawn)) for drawn in others(train_rules.fgfa_references(sizes))}
    assert triples == set(combinations(range(-1, 3), 3))
    assert others(train_rules.aten_keys(sizes)) == {
        tuple(k + side * i for i in range(4)) for k in range(-2, 3) for side in (-5, 5)
    }
    assert others(train_rules.by_itself(sizes)) == {()}


def test_training_cuts_gradients_and_remembers_them_as_the_preset_says() -> None:
    model, stage = torch.nn.Linear(1, 1), presets.load("tiny", "vip").frame
    sgd = train_loop._optimizer(model, replace(stage, optimizer="sgd", momentum=0.5))
    adamw = train_loop._optimizer(model, replace(stage, momentum=0.5))
    assert [group["momentum"] for group in sgd.param_groups] == [0.5, 0.5]
    assert [group["betas"] for group in adamw.param_groups] == [(0.5, 0.999)] * 2
    falls = replace(stage, steps=10, warmup=0, drop=0.4, low=0.25)
    assert [train_loop._rate(falls, step) for step in (0, 3, 4, 9)] == [1, 1, 0.25, 0.25]


@pytest.mark.parametrize(
    ("preset", "task", "epochs", "frames", "at_peak"),
    [("paper-vip", "vip", 40, 21247 * 304 / 404, 20), ("paper-davis", "davis", 50, 2079, 20)],
)
def test_the_papers_epochs_in_steps(preset: str, task: str, epochs: int, frames: float, at_peak: int) -> None:
    sizes = presets.load(preset, task)
    for stage in (sizes.frame, sizes.temporal):
        assert stage.steps * stage.batch == pytest.approx(epochs * frames, rel=1e-3)
        assert stage.drop == at_peak / epochs


def test_a_recipe_may_change_the_canvas_the_batch_and_the_steps() -> None:
    """A quarter of the canvas with as many pixels a step; and more steps."""
    sizes = presets.load("small", "davis")
    small = RECIPES["flow-quarter"].sized(sizes)
    assert (small.input.height, small.input.width, small.input.min_side) == (64, 112, 60)
    assert small.flow_stage.batch == 16 * sizes.flow_stage.batch
    assert RECIPES["aten-fast"].sized(sizes).temporal.steps == 1.5 * sizes.temporal.steps
    assert RECIPES["aten"].sized(sizes) == sizes
