"""ImageNet weights from a local file: what they become, and files that are refused."""

import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from safetensors.torch import save_file  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines.backbone import load_backbone  # noqa: E402
from vipbench.baselines.nn.resnet import ResNet  # noqa: E402

STD, MEAN = (0.229, 0.224, 0.225), (0.485, 0.456, 0.406)  # torchvision's, of RGB / 255
EPS = 1e-5  # of torchvision's batch norms


def small() -> ResNet:
    return ResNet(8, (4, 4, 4, 4), (1, 1, 1, 1)).eval()


def norms(resnet: ResNet) -> dict[str, Any]:
    return {name: m for name, m in resnet.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}


@pytest.fixture
def state() -> dict[str, Any]:
    """The state dict of another ResNet, with a classifier and without counts, as old files."""
    torch.manual_seed(1)
    own = {n: t for n, t in small().state_dict().items() if not n.endswith("num_batches_tracked")}
    return own | {"fc.weight": torch.zeros(1000, 16), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_features_are_those_of_the_other_network_on_its_own_images(
    suffix: str, state: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / f"resnet{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    theirs, ours = small().double(), small()
    theirs.load_state_dict({n: t for n, t in state.items() if not n.startswith("fc.")}, strict=False)
    for norm in norms(theirs).values():
        norm.eps = EPS
    load_backbone(ours, path)
    ours.double()
    photo = torch.randint(0, 256, (1, 3, 64, 64)).double()
    mean, std = (torch.tensor(c, dtype=torch.float64)[:, None, None] for c in (MEAN, STD))
    found = ours(photo - 255 * mean)
    for a, b in zip(found, theirs((photo / 255 - mean) / std), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_every_norm_divides_by_the_root_of_the_variance_and_torchvisions_eps(
    state: dict[str, Any], tmp_path: Path
) -> None:
    """Also where the variance is far below our eps, as in ImageNet's first layers."""
    rng = torch.Generator().manual_seed(2)
    for name, tensor in state.items():
        if name.endswith("running_var"):
            state[name] = 10 ** torch.empty(tensor.shape).uniform_(-7, 1, generator=rng)
        elif tensor.ndim == 1:
            state[name] = torch.randn(tensor.shape, generator=rng)
    torch.save(state, tmp_path / "w.pth")
    ours = ResNet(8, (4, 4, 4, 4), (1, 1, 1, 1), norm="frozen")
    load_backbone(ours, tmp_path / "w.pth")
    for name, norm in norms(ours.double()).items():
        scale, shift, mean, variance = (
            state[f"{name}.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var")
        )
        x = torch.randn(5, len(scale), generator=rng, dtype=torch.float64)
        expected = scale * (x - mean) / (variance + EPS).sqrt() + shift
        torch.testing.assert_close(norm(x[:, :, None, None])[:, :, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_everything_that_differs_is_listed(state: dict[str, Any], tmp_path: Path) -> None:
    state["layer5.0.conv1.weight"] = state.pop("layer4.0.conv1.weight")
    state["bn1.weight"] = torch.zeros(9)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UserError) as found:
        load_backbone(small(), tmp_path / "w.pth")
    for part in (
        "w.pth is not this preset's ResNet",
        "3 tensors differ",
        "missing layer4.0.conv1.weight",
        "unexpected layer5.0.conv1.weight",
        "bn1.weight is [9], expected [8]",
    ):
        assert part in str(found.value)


class Evil:
    def __reduce__(self) -> Any:
        return print, ("executed",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.pth", None, r"gone\.pth: no readable backbone weights \(No such file"),
        ("text.pth", b"hello", r"text\.pth: not readable as weights"),
        ("text.safetensors", b"hello", r"text\.safetensors: not readable as weights"),
        ("pickle.pth", pickle.dumps(Evil(), protocol=2), r"pickle\.pth: not readable as weights"),
    ],
)
def test_other_files_are_refused(
    name: str, content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_backbone(small(), tmp_path / name)
    assert capsys.readouterr().out == ""


def test_a_model_or_a_checkpoint_is_no_state_dict(tmp_path: Path) -> None:
    torch.save({"model": {"conv1.weight": torch.zeros(1)}}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: expected a state dict, tensors by name"):
        load_backbone(small(), tmp_path / "w.pth")
