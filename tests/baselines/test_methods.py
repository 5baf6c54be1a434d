"""Algorithm 1 on videos of all lengths, and the way from detections to VIP layers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

import torch.nn.functional as F  # noqa: E402
from made_video import LAYERS, addresses, made  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten, encoding_keys  # noqa: E402
from vipbench.baselines.canvas import Placement, placed  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.instances import paint_persons, parts_of  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.streaming import segments  # noqa: E402
from vipbench.pixels import read_photo, write_image  # noqa: E402
from vipbench.types import Dataset, Frame, Parsing, SegmentMap  # noqa: E402

HEADS = presets.load("tiny", "vip").heads


def test_segments_have_the_median_as_key() -> None:
    parts = segments(addresses(list(range(11))), 4)
    assert [s.key.index for s in parts] == [2, 6, 9]  # the last has 3 frames: its own median
    assert [[f.index - s.key.index for f in s.frames] for s in parts[:2]] == [[-2, -1, 0, 1]] * 2
    assert [s.key.index for s in segments(addresses([0]), 3)] == [0]


def test_segments_go_by_the_source_index_across_gaps() -> None:
    parts = segments(addresses([0, 1, 15, 16, 17, 18]), 3)
    assert [(s.number, s.key.index) for s in parts] == [(0, 1), (5, 16), (6, 18)]


@pytest.mark.parametrize(
    ("length", "j", "p", "expected"),
    [
        (15, 2, 2, [1, 0]),
        (15, 4, 2, [3, 2]),
        (15, 0, 2, [1, 2]),  # too few former ones: p latter ones, not a mix
        (15, 1, 2, [2, 3]),
        (15, 3, 0, []),
        (6, 0, 2, [1]),  # neither side has two
        (6, 1, 2, [0]),
        (2, 0, 2, []),
    ],
)
def test_encoding_keys(length: int, j: int, p: int, expected: list[int]) -> None:
    parts = segments(addresses(list(range(length))), 3)
    assert [s.number for s in encoding_keys(parts, j, p)] == expected


def test_encoding_keys_do_not_cross_a_gap() -> None:
    parts = segments(addresses([0, 3, 15, 18, 21]), 3)
    assert [s.number for s in encoding_keys(parts, 2, 2)] == [6, 7]


@pytest.fixture
def dataset() -> Dataset:
    return made()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(9):
        write_image(tmp_path / f"{i}.jpg", rng.integers(0, 255, (48, 70, 3)).astype(np.uint8))
    return tmp_path


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """Weights of a network that finds persons everywhere, so that all layers are at work."""
    torch.manual_seed(0)
    net = AtenNet(presets.load("tiny", "vip"))
    net.head.box.score.bias.data[:] = torch.tensor([-3.0, 3.0])  # type: ignore[union-attr]
    weights.save(net, tmp_path / "aten.safetensors", weights.identity("aten", net.preset))
    return tmp_path / "aten.safetensors"


def as_arrays(result: Iterator[tuple[Frame, Parsing]]) -> dict[int, list[bytes]]:
    return {
        frame.index: [parsing.layer(name).ids.tobytes() for name in LAYERS["vip"]]
        for frame, parsing in result
    }


@pytest.mark.parametrize("length", [1, 2, 4, 9])
def test_aten_parses_every_frame_of_a_video_of_any_length(
    dataset: Dataset, images: Path, untrained: Path, length: int
) -> None:
    method = Aten(dataset, l=3, p=2, weights=untrained)
    found = list(method.predict(addresses(list(range(length)), root=images)))
    assert [f.index for f, _ in found] == list(range(length))
    for _, parsing in found:
        assert parsing.layer("part").size == (48, 70)
        assert {s.id for s in parsing.layer("human").segments} == set(
            np.unique(parsing.layer("human").ids)[1:].tolist()
        )


def test_unannotated_frames_are_context_only(dataset: Dataset, images: Path, untrained: Path) -> None:
    method = Aten(dataset, weights=untrained)
    everything = as_arrays(method.predict(addresses(list(range(9)), root=images)))
    some = as_arrays(method.predict(addresses(list(range(9)), {0, 4, 8}, images)))
    assert some == {i: everything[i] for i in (0, 4, 8)}


def test_weights_that_do_not_fit_are_refused_with_a_list(dataset: Dataset, tmp_path: Path) -> None:
    about = weights.identity("frame", presets.load("tiny", "vip"))
    weights.save(FrameNet(presets.load("tiny", "davis")), tmp_path / "w.safetensors", about)
    with pytest.raises(UserError, match=r"w\.safetensors.*vip.*missing head\.box"):
        FrameMethod(dataset, weights=tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="not a readable safetensors"):
        FrameMethod(dataset, weights=tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"no weights come with .* preset paper-vip"):
        FrameMethod(dataset, preset="paper-vip")
    with pytest.raises(UserError, match="unknown preset 'huge'"):
        FrameMethod(dataset, preset="huge")


def test_canvas_places_a_720p_frame_as_the_paper_does() -> None:
    spec = presets.load("paper-vip", "vip").input
    assert Placement.of((720, 1280), spec).window == (112, 0, 400, 512)
    assert Placement.of((100, 100), spec).window == (31, 31, 481, 481)  # scaled up to 450, odd pixel below
    davis = presets.load("paper-davis", "davis").input
    assert Placement.of((480, 854), davis).window == (4, 0, 508, 896)


@pytest.mark.parametrize(("height", "decoded"), [(480, (240, 427)), (482, (482, 855))])
def test_a_photo_far_larger_than_the_canvas_is_read_smaller(
    height: int, decoded: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is, and what of it, is as if it was read whole."""
    spec = presets.load("tiny", "davis").input
    rows, columns = np.mgrid[:height, : 854 + (height > 480)]
    rgb = np.stack([columns // 4, rows // 2, (columns + rows) // 6], 2).astype(np.uint8)
    write_image(path := tmp_path / "photo.jpg", rgb)
    seen: list[tuple[int, int]] = []
    resize = Placement.resized
    monkeypatch.setattr(
        Placement, "resized", lambda self, p: seen.append((p.height, p.width)) or resize(self, p)
    )
    placement, pixels = placed(path, spec, tight=False)
    assert seen == [decoded]
    assert placement == Placement.of(rgb.shape[:2], spec)
    whole = resize(placement, read_photo(path)).astype(int)
    assert abs(whole - pixels).max() <= 2


def test_canvas_round_trip_of_labels_and_padding() -> None:
    spec = replace(presets.load("tiny", "vip").input, min_side=96)
    placement = Placement.of((48, 60), spec)
    ids = np.arange(48 * 60, dtype=np.uint16).reshape(48, 60)
    canvas = placement.labels(ids, 255)
    top, left, bottom, right = placement.window
    assert (canvas[:top] == 255).all()
    assert (canvas[:, right:] == 255).all()
    assert np.array_equal(canvas[top:bottom:2, left:right:2], ids)  # scaled by two
    image = placement.image(np.full((48, 60, 3), 200, np.uint8))
    assert image[0, 0, 0].item() == pytest.approx(-123.7)  # padding is black, then the mean is taken
    assert image[0, top + 5, left + 5].item() == pytest.approx(200 - 123.7)


@pytest.mark.parametrize("size", [(48, 60), (96, 120), (96, 60)])
def test_maps_are_restored_to_the_photo_from_its_window(size: tuple[int, int]) -> None:
    """Resized as torch does, also where there is nothing to resize: the second photo."""
    canvas, window = (128, 128), (16, 4, 112, 124)
    maps = torch.rand(2, *canvas, generator=torch.Generator().manual_seed(0))
    cropped = maps[None, :, 16:112, 4:124]
    expected = F.interpolate(cropped, size, mode="bilinear", align_corners=False)[0]
    assert torch.equal(Placement(size, window, canvas, (0, 0, 0)).restore(maps), expected)


def test_persons_are_painted_by_score_and_dropped_when_mostly_hidden() -> None:
    full = np.ones((3, 28, 28), np.float32)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 13], [0, 8, 10, 30]])
    human = paint_persons(boxes, np.array([0.9, 0.8, 0.7], np.float32), full, (12, 32), HEADS)
    assert [(s.id, s.box, round(s.score, 6)) for s in human.segments] == [
        (1, (0, 0, 10, 10), 0.9),
        (2, (0, 8, 10, 30), 0.7),  # 20 of 22 columns left; the one between kept 3 of 13 and is gone
    ]
    assert (human.ids == 2).sum() == 200


def test_parts_are_class_by_person_with_confidence_times_score() -> None:
    category = np.zeros((4, 6), np.uint16)
    category[:2], category[2:] = 5, 2
    confidence = np.full((4, 6), 0.5, np.float32)
    ids = np.zeros((4, 6), np.uint16)
    ids[:, :3], ids[:2, 3:] = 1, 2
    human = SegmentMap(ids, tuple(replace(s, score=1 / s.id) for s in SegmentMap.of(ids).segments))
    part = parts_of(category, confidence, human)
    rows = [(s.id, s.category, s.human, s.score) for s in part.segments]
    assert rows == [(1, 2, 1, 0.5), (2, 5, 1, 0.5), (3, 5, 2, 0.25)]
    assert part.ids.tolist() == [[2] * 3 + [3] * 3] * 2 + [[1] * 3 + [0] * 3] * 2
