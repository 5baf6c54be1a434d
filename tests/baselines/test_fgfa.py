"""Flow-Guided Feature Aggregation: which frames, and what is made of them."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import addresses, as_bytes, made, photos, raw_features, small  # noqa: E402
from plain import photo  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.fgfa import Fgfa, nearby, reach  # noqa: E402
from vipbench.baselines.network import FgfaNet  # noqa: E402
from vipbench.baselines.nn.warp import warp  # noqa: E402


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Weights of a new network whose flow is not zero."""
    torch.manual_seed(1)
    net = FgfaNet(presets.load("tiny", "davis"))
    weights.save(net, tmp_path / "fgfa.safetensors", weights.identity("fgfa", net.preset))
    return tmp_path / "fgfa.safetensors"


@pytest.mark.parametrize(
    ("window", "reading", "expected"),
    [
        (10, "neighbours", (5, 5)),
        (10, "all", (5, 4)),
        (10, "side", (10, 10)),
        (9, "neighbours", (5, 4)),
        (9, "all", (4, 4)),
        (1, "all", (0, 0)),
    ],
)
def test_the_readings_of_the_nearest_frames(window: int, reading: Any, expected: tuple[int, int]) -> None:
    assert reach(window, reading) == expected


def test_a_window_ends_with_the_video_and_does_not_bridge_a_gap() -> None:
    video = addresses([0, 1, 2, 3, 20, 21])
    near = [[f.index for f in nearby(video, i, 2, 1)] for i in range(6)]
    assert near == [[1], [0, 2], [0, 1, 3], [1, 2], [21], [20]]
    assert nearby(addresses([7]), 0, 5, 5) == []


@torch.inference_mode()
def by_hand(net: Any, video: Any, position: int, before: int, after: int) -> Any:
    """The paper's sum in float64, all maps at once: w = softmax over frames of the cosine of embeddings."""
    images = [photo(frame, net)[0] for frame in video.frames]
    here = net.features(images[position])
    own = net.embedding(here).double()
    maps, cosines = [], []
    for j in range(max(0, position - before), min(len(images), position + after + 1)):
        features = net.features(images[j])
        embedding = net.embedding(features)
        if j != position:
            flow = net.field(images[position], images[j])[0]
            features, embedding = warp(features, flow, None, "zeros"), warp(embedding, flow, None, "zeros")
        e = embedding.double()
        norms = e.square().sum(1).sqrt() * own.square().sum(1).sqrt()
        cosines.append((e * own).sum(1) / norms.clamp_min(1e-12))
        maps.append(features.double())
    exponentials = torch.stack(cosines).exp()
    shares = exponentials / exponentials.sum(0)
    return (shares[:, :, None] * torch.stack(maps)).sum(0)


@pytest.mark.parametrize("reading", ["neighbours", "all", "side"])
def test_features_are_the_weighted_sum_of_the_paper(start: Path, tmp_path: Path, reading: Any) -> None:
    video = addresses(range(7), root=photos(tmp_path, range(7)))
    method = small(Fgfa(made("davis"), window=3, reading=reading, weights=start))
    before, after = reach(3, reading)
    found = dict(raw_features(method, video))
    assert list(found) == list(range(7))
    for i, features in found.items():
        expected = by_hand(method.net, video, i, before, after)
        torch.testing.assert_close(features.double(), expected, rtol=1e-4, atol=1e-4)


def test_one_frame_alone_keeps_its_features(start: Path, tmp_path: Path) -> None:
    video = addresses([4], root=photos(tmp_path, [4]))
    method = small(Fgfa(made("davis"), weights=start))
    image, _ = photo(video.frames[0], method.net)
    ((_, features),) = raw_features(method, video)
    torch.testing.assert_close(features, method.net.features(image).detach())


def test_the_cache_changes_nothing_but_the_work(start: Path, tmp_path: Path) -> None:
    video = addresses(range(6), {1, 3, 4}, photos(tmp_path, range(6)))
    answers, calls = [], []
    for cache in (True, False):
        method = small(Fgfa(made("davis"), window=2, cache=cache, weights=start, precision="exact"))
        count = [0]
        plain = method.net.features.forward
        method.net.features.forward = lambda x, plain=plain, count=count: count.append(1) or plain(x)
        answers.append(as_bytes(method.predict(video)))
        calls.append(len(count) - 1)
    assert answers[0] == answers[1]
    assert calls == [6, 9]  # each of frames 0 to 5 once; three frames for each of the three


def test_the_scale_field_plays_no_part(start: Path, tmp_path: Path) -> None:
    video = addresses(range(3), root=photos(tmp_path, range(3)))
    method = small(Fgfa(made("davis"), weights=start))
    before = as_bytes(method.predict(video))
    method.net.flow.scale.bias.data.fill_(7)
    assert as_bytes(method.predict(video)) == before


def test_untrained_fgfa_and_windows_of_nothing_are_refused(start: Path) -> None:
    with pytest.raises(UserError, match=r"no weights come with method fgfa, preset paper-davis, .*PATH"):
        Fgfa(made("davis"), preset="paper-davis")
    with pytest.raises(UserError, match="window=0, expected 1 or more"):
        Fgfa(made("davis"), window=0, weights=start)
    with pytest.raises(UserError, match=r'of {"task": "davis"}, expected {"task": "vip"}'):
        Fgfa(made("vip"), weights=start)
