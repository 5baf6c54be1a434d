"""Presets as data: what they say, what the released variant changes, and that the networks follow it."""

from dataclasses import asdict, replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets, recipes  # noqa: E402
from vipbench.baselines.network import AtenNet, FrameNet  # noqa: E402
from vipbench.baselines.nn.convrnn import hard_sigmoid  # noqa: E402
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
    assert presets.names() == ["paper-davis", "paper-vip", "tiny"]
    assert presets.load("paper-vip-released", "vip").name == "paper-vip-released"


@pytest.mark.parametrize(
    ("name", "task"), [("paper-vip", "vip"), ("paper-davis", "davis"), ("tiny", "vip"), ("tiny", "davis")]
)
def test_released_changes_what_the_released_code_does_otherwise(name: str, task: str) -> None:
    plain, released = flat(presets.load(name, task)), flat(presets.load(f"{name}-released", task))
    assert released == plain | RELEASED


def test_papers_settings() -> None:
    """Sections 3 and 4 of the paper: what it says of both data sets, and where they differ."""
    vip, davis = presets.load("paper-vip", "vip"), presets.load("paper-davis", "davis")
    assert (vip.input.height, vip.input.width, vip.input.crop) == (512, 512, ())
    assert (davis.input.height, davis.input.width, davis.input.crop) == (512, 896, (384, 640))
    assert (vip.features.tap, vip.heads.proposals, vip.heads.rois) == ("res2", 128, 128)
    assert (vip.flow.factor, vip.encoding.gate, vip.encoding.l, vip.encoding.p) == (5, "sigmoid", 3, 2)
    assert len(vip.heads.scales) * len(vip.heads.ratios) == 15
    assert (vip.features.blocks, davis.features.blocks) == ((3, 4, 6, 3), (3, 4, 23, 3))
    for stage, drop in ((vip.frame, 0.5), (vip.temporal, 0.5), (davis.frame, 0.4), (davis.temporal, 0.4)):
        assert (stage.optimizer, stage.rate, stage.decay, stage.drop) == ("sgd", 1e-3, 2e-4, drop)
    assert replace(davis.features, blocks=vip.features.blocks) == vip.features


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("paper-vip", "davis", r"paper-vip is for persons and parts \(vip\).* use one of: paper-davis, tiny"),
        (
            "paper-davis-released",
            "vip",
            r"paper-davis-released is for objects .* use one of: paper-vip, tiny",
        ),
        ("released", "vip", "unknown preset 'released'; there are: paper-davis, paper-vip, tiny"),
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


@pytest.mark.parametrize(("name", "task"), [("paper-vip", "vip"), ("paper-davis", "davis"), ("tiny", "vip")])
def test_training_draws_keys_as_the_preset_says(name: str, task: str) -> None:
    encoding = presets.load(name, task).encoding
    assert (encoding.l, encoding.p) == (recipes.KEY_RANGE, recipes.KEYS)
