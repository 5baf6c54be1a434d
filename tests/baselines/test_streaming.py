"""Every method on videos of all lengths, sizes and kinds of photos, in bounded memory; what is refused."""

import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import LAYERS, addresses, as_bytes, made, photos, small  # noqa: E402

from vipbench import UserError, registry  # noqa: E402
from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.dff import Dff  # noqa: E402
from vipbench.baselines.fgfa import Fgfa  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import FgfaNet, FrameNet, GuidedNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402

VARIANTS: dict[str, tuple[Callable[..., Any], Callable[..., FrameNet]]] = {
    "frame": (FrameMethod, FrameNet),
    "dff": (Dff, GuidedNet),
    "fgfa": (Fgfa, FgfaNet),
    "aten": (Aten, AtenNet),
    "aten-lstm": (partial(Aten, unit="lstm"), partial(AtenNet, unit="lstm")),
    "aten-mean": (partial(Aten, unit="mean", align=False), partial(AtenNet, unit="mean")),
    "aten-p0": (partial(Aten, l=4, p=0), GuidedNet),
    "aten-offsets": (partial(Aten, p=1, offset="all"), AtenNet),
}


def method(name: str, task: str, folder: Path) -> Any:
    """The method with a new network that finds persons everywhere, so that all layers are at work."""
    build, kind = VARIANTS[name]
    torch.manual_seed(0)
    net = kind(presets.load("tiny", task))
    if task == "vip":
        net.head.box.score.bias.data[:] = torch.tensor([-3.0, 3.0])  # type: ignore[union-attr]
    weights.save(net, folder / "w.safetensors", weights.identity(name, net.preset))
    return small(build(made(task), weights=folder / "w.safetensors"))


@pytest.mark.parametrize("task", LAYERS)
@pytest.mark.parametrize("name", VARIANTS)
def test_every_annotated_frame_of_a_video_of_any_length(name: str, task: str, tmp_path: Path) -> None:
    net = method(name, task, tmp_path)
    photos(tmp_path, range(7), (37, 51))
    for length in (1, 2, 7):
        video = addresses(range(length), {0, 1, 4, 6}, tmp_path)
        found = list(net.predict(video))
        assert [frame for frame, _ in found] == list(video.annotated)
        for _, parsing in found:
            assert {parsing.layer(layer).size for layer in LAYERS[task]} == {(37, 51)}
    assert list(net.predict(addresses(range(3), set(), tmp_path))) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_context_is_the_same_whatever_is_annotated(name: str, tmp_path: Path) -> None:
    net = method(name, "davis", tmp_path)
    photos(tmp_path, range(9))
    everything = as_bytes(net.predict(addresses(range(9), root=tmp_path)))
    some = as_bytes(net.predict(addresses(range(9), {2, 3, 8}, tmp_path)))
    assert some == {i: everything[i] for i in (2, 3, 8)}


@pytest.fixture
def _frozen() -> Iterator[None]:
    """What there is already is left out of gc.get_objects, which makes it fast."""
    gc.freeze()
    yield
    gc.unfreeze()


def live() -> int:
    """Bytes of all tensors made since."""
    return sum(o.nbytes for o in gc.get_objects() if type(o) is torch.Tensor)


@pytest.mark.usefixtures("_frozen")
@pytest.mark.parametrize("name", VARIANTS)
def test_memory_does_not_grow_with_the_video(name: str, tmp_path: Path) -> None:
    net = method(name, "davis", tmp_path)
    photos(tmp_path, range(60), (16, 16))
    usage = [live() for _ in net.predict(addresses(range(60), root=tmp_path))]
    assert 0 < max(usage[35:]) <= max(usage[10:35])


@pytest.mark.parametrize("name", VARIANTS)
def test_frames_of_mixed_and_odd_sizes(name: str, tmp_path: Path) -> None:
    """Each parsing has its own frame's size, also where the key has another."""
    net = method(name, "vip", tmp_path)
    sizes = [(48, 70), (47, 71), (1, 1), (90, 33), (3, 200), (400, 2), (64, 64)]
    for i, size in enumerate(sizes):
        photos(tmp_path, [i], size)
    found = {f.index: p.layer("part").size for f, p in net.predict(addresses(range(7), root=tmp_path))}
    assert found == dict(enumerate(sizes))


@pytest.mark.parametrize("name", ["frame", "dff", "aten"])
def test_grey_photos_are_as_photos_of_equal_channels(name: str, tmp_path: Path) -> None:
    net = method(name, "davis", tmp_path)
    rng = np.random.default_rng(0)
    for i in range(3):
        grey = rng.integers(0, 255, (40, 60)).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{i}.png")
        Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / f"{i + 3}.png")

    def answers(start: int) -> list[list[object]]:
        video = addresses(range(3), root=tmp_path)
        frames = [(f, tmp_path / f"{f.index + start}.png") for f in video.frames]
        named = type(video)("v", "test", tuple(type(f)("v", f.name, f.index, path) for f, path in frames))
        return list(as_bytes(net.predict(named)).values())

    assert answers(0) == answers(3)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("aten", {"l": "0"}, "l must be at least 1 and p at least 0, got l=0, p=2"),
        ("aten", {"p": "-1"}, "got l=3, p=-1"),
        ("aten", {"offset": "3"}, "method aten: offset=3, expected 0 ... 2 .below l. or all"),
        ("aten", {"offset": "-1"}, "offset=-1, expected 0"),
        ("aten", {"offset": "some"}, "option offset=some: expected int or all"),
        ("aten", {"unit": "rnn"}, "option unit=rnn: expected gru or lstm or mean"),
        ("aten", {"align": "maybe"}, "option align=maybe: expected true or false"),
        ("aten", {"border": "wrap"}, "option border=wrap: expected aten or zeros or clamp"),
        (
            "aten",
            {"unit": "lstm", "preset": "paper-vip"},
            "no weights come with method aten-lstm, preset paper-vip",
        ),
        ("aten", {"align": "false", "preset": "paper-vip"}, "no weights come with method aten-unaligned"),
        ("dff", {"l": "0"}, "method dff: l=0, expected 1 or more frames a segment"),
        ("dff", {"offset": "10"}, "method dff: offset=10, expected 0 ... 9"),
        ("dff", {"preset": "paper-vip"}, "no weights come with method dff, preset paper-vip"),
        ("fgfa", {"reading": "both"}, "option reading=both: expected neighbours or all or side"),
        ("fgfa", {"preset": "paper-vip"}, "no weights come with method fgfa"),
    ],
)
def test_refused_options(name: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        registry.build(registry.load("methods", name), made(), options=options)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("aten", {"p": "1"}, "preset tiny, the weights that come with vipbench"),
        ("aten", {"p": "0"}, "of frame and aten that come with vipbench, not trained for aten-p0"),
        ("aten", {"unit": "mean", "align": "false"}, "of aten-mean that come with vipbench, not trained for"),
    ],
)
def test_weights_of_another_method_are_said_to_be_so(name: str, options: dict[str, str], words: str) -> None:
    built = registry.build(registry.load("methods", name), made("davis"), options=options)
    assert words in built.about


def test_a_unit_that_is_not_there_is_left_aside_and_no_other_takes_its_place(tmp_path: Path) -> None:
    net = AtenNet(presets.load("tiny", "davis"))
    about = weights.identity("aten", net.preset) | {"plateau": "yes"}
    weights.save(net, tmp_path / "gru.safetensors", about)
    built = Aten(made("davis"), p=0, weights=tmp_path / "gru.safetensors")
    assert torch.equal(built.net.flow.scale.bias, net.flow.scale.bias)
    expected = "preset tiny, gru.safetensors of aten, not trained for aten-p0, trained at l=3, p=2"
    assert built.about == expected
    with pytest.raises(UserError, match=r"missing lstm\.hidden\.weight"):
        Aten(made("davis"), unit="lstm", weights=tmp_path / "gru.safetensors")
