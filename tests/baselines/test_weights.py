"""Weights files: what half precision keeps, and what is not written at all."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from safetensors.torch import load_file  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402


def test_what_does_not_fit_in_half_precision_is_kept_as_it_is(tmp_path: Path) -> None:
    """Variances of activations of 8-bit images are beyond 65,504."""
    norm = torch.nn.BatchNorm2d(2)
    norm.running_var[:] = torch.tensor([7e4, 0.1])
    norm.weight.data[:] = torch.tensor([65504.0, 0.1])
    weights.save(norm, tmp_path / "w.safetensors", {})
    found = load_file(tmp_path / "w.safetensors")
    assert found["running_var"].tolist() == [7e4, torch.tensor(0.1).item()]
    assert found["weight"].dtype == found["bias"].dtype == torch.float16
    other = torch.nn.BatchNorm2d(2)
    weights.load(other, tmp_path / "w.safetensors")
    assert other.running_var.tolist() == found["running_var"].tolist()
    assert other.weight.tolist() == [65504.0, 0.0999755859375]  # to the nearest of 11 bits


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_not_written(number: float, tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 2)
    net.weight.data[1, 0] = number
    with pytest.raises(UserError, match=r"w\.safetensors: not written, 1 tensors .*not finite .weight."):
        weights.save(net, tmp_path / "w.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_shipped_weights_are_written_again_to_the_bit(tmp_path: Path) -> None:
    path, net = weights.shipped("aten", "davis", "tiny"), AtenNet(presets.load("tiny", "davis"))
    assert path is not None
    weights.save(net, tmp_path / "w.safetensors", weights.load(net, path))
    before, after = load_file(path), load_file(tmp_path / "w.safetensors")
    assert before.keys() == after.keys()
    assert all(before[n].dtype == after[n].dtype and torch.equal(before[n], after[n]) for n in before)
    assert path.stat().st_size == (tmp_path / "w.safetensors").stat().st_size
