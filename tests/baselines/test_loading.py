"""What a method says of the weights that it runs with."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import made  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.loading import RANDOM  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"plateau": "no"}, "preset tiny, w.safetensors, undertrained"),
        ({"plateau": "yes"}, "preset tiny, w.safetensors"),
        ({}, "preset tiny, w.safetensors, plateau unknown"),
    ],
)
def test_weights_that_missed_their_plateau_say_so(
    metadata: dict[str, str], words: str, tmp_path: Path
) -> None:
    net = FrameNet(presets.load("tiny", "davis"))
    weights.save(net, tmp_path / "w.safetensors", weights.identity("frame", net.preset) | metadata)
    assert FrameMethod(made("davis"), weights=tmp_path / "w.safetensors").about == words


def test_so_do_weights_of_which_one_part_missed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = presets.load("tiny", "davis")
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("frame", "aten")}
    weights.save(FrameNet(sizes), paths["frame"], {"plateau": "yes"})
    weights.save(AtenNet(sizes), paths["aten"], {"plateau": "no"})
    monkeypatch.setattr(weights, "shipped", lambda name, *_: paths.get(name))
    about = Aten(made("davis"), p=0).about
    assert "not trained for aten-p0" in about
    assert "undertrained" in about


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ""),
        ({"l": 5}, ", trained at l=3, p=2"),
        ({"p": 1}, ", trained at l=3, p=2"),
        ({"align": False}, " of aten, not trained for aten-unaligned"),
        ({"align": False, "l": 4}, " of aten, not trained for aten-unaligned, trained at l=3, p=2"),
    ],
)
def test_options_of_another_training_say_so(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    net, path = AtenNet(presets.load("tiny", "davis")), tmp_path / "w.safetensors"
    weights.save(net, path, weights.identity("aten", net.preset) | {"plateau": "yes"})
    assert Aten(made("davis"), weights=path, **options).about == f"preset tiny, w.safetensors{words}"
    assert Aten(made("davis"), weights=RANDOM, **options).about == "preset tiny, random weights"


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone() -> None:
    state = torch.get_rng_state()
    first, second = (FrameMethod(made("davis"), weights=RANDOM) for _ in range(2))
    assert first.about == "preset tiny, random weights"
    assert not first.net.training
    for one, other in zip(first.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
