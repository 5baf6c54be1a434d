"""Parameters and multiply-adds at full size: layer tables and cost model of the paper's networks.

The expected figures are sums over layer tables written out by hand (inputs x outputs x kernel x positions),
to as many digits as those tables have; G is 10^9 multiply-adds of one image or pair.
"""

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.nn.convrnn import UNITS  # noqa: E402
from vipbench.baselines.nn.counts import multiplies, multiplies_by_part, parameters  # noqa: E402
from vipbench.baselines.nn.deeplab import FeatureNet  # noqa: E402
from vipbench.baselines.nn.embedding import Embedding  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS  # noqa: E402
from vipbench.baselines.nn.heads import RPN, AtrousClassifier, ParsingRCNN  # noqa: E402
from vipbench.baselines.nn.mask import MaskHead  # noqa: E402

VIP, CUT, DAVIS, CROP = (512, 512), (288, 512), (512, 896), (384, 640)
SIZES = (VIP, CUT, DAVIS, CROP)
G = 1e9


def image(size: tuple[int, int]) -> Any:
    return torch.empty(1, 3, *size, device="meta")


def grid(size: tuple[int, int], channels: int = 256) -> Any:
    return torch.empty(1, channels, size[0] // 4, size[1] // 4, device="meta")


def made(kind: Any, *arguments: Any, **options: Any) -> Any:
    with torch.device("meta"):
        return kind(*arguments, **options)


def paper(task: str, released: bool = False) -> presets.Preset:
    return presets.load(f"paper-{task}" + "-released" * released, task)


@cache
def feature_net(task: str, released: bool = False) -> Any:
    return made(FeatureNet, paper(task, released).features)


@cache
def released_features(task: str, size: tuple[int, int]) -> int:
    return multiplies(feature_net(task, released=True), image(size))


@cache
def flow(size: tuple[int, int]) -> int:
    return multiplies(flownet(), image(size), image(size))


@pytest.mark.parametrize(("task", "published"), [("vip", 25_557_032), ("davis", 44_549_160)])
def test_the_resnet_is_torchvisions_without_its_classifier(task: str, published: int) -> None:
    resnet = feature_net(task).resnet
    assert parameters(resnet) == published - (2048 * 1000 + 1000)
    block = {name.removeprefix("layer4.0.") for name in resnet.state_dict() if name.startswith("layer4.0.")}
    convs = ["conv1", "conv2", "conv3", "downsample.0"]
    norms = ["bn1", "bn2", "bn3", "downsample.1"]
    kinds = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert block == {f"{c}.weight" for c in convs} | {f"{n}.{kind}" for n in norms for kind in kinds}


# part of FlowNet-S -> parameters, G at 512x512, G at 512x896
FLOWNET = {
    "conv1": (18_880, 1.233, 2.158),
    "conv2": (204_928, 3.355, 5.872),
    "conv3.0": (819_456, 3.355, 5.872),
    "conv3.1": (590_080, 2.416, 4.228),
    "conv4.0": (1_180_160, 1.208, 2.114),
    "conv4.1": (2_359_808, 2.416, 4.228),
    "conv5.0": (2_359_808, 0.604, 1.057),
    "conv5.1": (2_359_808, 0.604, 1.057),
    "conv6.0": (4_719_616, 0.302, 0.528),
    "conv6.1": (9_438_208, 0.604, 1.057),
    "predict.0": (18_432, 0.001, 0.002),
    "deconv.0": (8_388_608, 0.537, 0.940),
    "predict.1": (18_468, 0.005, 0.008),
    "deconv.1": (4_202_496, 1.076, 1.883),
    "predict.2": (13_860, 0.014, 0.025),
    "deconv.2": (1_576_960, 1.615, 2.826),
    "predict.3": (6_948, 0.028, 0.050),
    "deconv.3": (395_264, 1.619, 2.833),
    "predict.4": (3_492, 0.057, 0.100),
    "upsample.0": (64, 0, 0),
    "upsample.3": (64, 0, 0),
    "scale": (49_664, 0.814, 1.424),
}


@cache
def flownet() -> Any:
    """Without biases of predictions and transposed convolutions, as the table has it."""
    return made(FlowNetS, replace(paper("vip").flow, bias=False), 256)


def test_flownet_layer_by_layer() -> None:
    net = flownet()
    vip, davis = (multiplies_by_part(net, image(size), image(size)) for size in (VIP, DAVIS))
    found = {
        path: (parameters(net.get_submodule(path)), round(vip[path] / G, 3), round(davis[path] / G, 3))
        for path in FLOWNET
    }
    assert found == FLOWNET


def test_flownet_in_total() -> None:
    """With biases, as Caffe and Keras have them: 5 predictions, 4 up-flows, 4 transposed convolutions."""
    net = flownet()
    assert parameters(net) - parameters(net.scale) == 38_675_536
    assert parameters(net) == 38_725_200
    for task, released in product(("vip", "davis"), (False, True)):
        with_bias = made(FlowNetS, paper(task, released).flow, 256)
        assert parameters(with_bias) - parameters(net) == 5 * 2 + 4 * 2 + 512 + 256 + 128 + 64
    assert [round(flow(s) / G, 1) for s in SIZES] == [21.9, 12.4, 38.3, 20.5]
    assert [round(flow(s) / G, 2) for s in (VIP, DAVIS)] == [21.86, 38.26]
    halves = [(256, 256), (144, 256), (256, 448), (192, 320)]
    assert [round(multiplies(net.pyramid, image(s), image(s)) / G, 2) for s in halves] == [
        5.26,
        3.06,
        9.21,
        4.93,
    ]


# part of N_feat, stem tap -> millions of parameters, G of R50 and R101 at 512x512, of both at 512x896
N_FEAT = {
    "resnet.conv1": ((0.009, 0.009), 0.617, 0.617, 1.079, 1.079),
    "resnet.layer1": ((0.213, 0.213), 3.490, 3.490, 6.107, 6.107),
    "resnet.layer2": ((1.212, 1.212), 4.966, 4.966, 8.691, 8.691),
    "resnet.layer3": ((7.078, 26.018), 7.248, 26.642, 12.684, 46.624),
    "resnet.layer4": ((14.942, 14.942), 15.301, 15.301, 26.776, 26.776),
    "aspp.project": ((0.328, 0.328), 0.336, 0.336, 0.587, 0.587),
    "low": ((0.003, 0.003), 0.050, 0.050, 0.088, 0.088),
    "decode1": ((0.701, 0.701), 11.476, 11.476, 20.082, 20.082),
    "decode2": ((0.590, 0.590), 9.664, 9.664, 16.911, 16.911),
}


def weights(module: Any) -> int:
    """Parameters of convolutions without biases and norms, which the table leaves out."""
    return sum(p.numel() for p in module.parameters() if p.ndim > 1)


def test_released_features_layer_by_layer() -> None:
    nets = [feature_net(task, released=True) for task in ("vip", "davis")]
    counts = [multiplies_by_part(net, image(size)) for size in (VIP, DAVIS) for net in nets]
    for path, (millions, *expected) in N_FEAT.items():
        numbers = [weights(net.get_submodule(path)) for net in nets]
        assert [n / 1e6 for n in numbers] == pytest.approx(millions, abs=6e-4), path
        assert [round(c[path] / G, 3) for c in counts] == expected, path
    pool_and_point, atrous = [0.538, 0.538, 0.941, 0.941], [14.496, 14.496, 25.368, 25.368]
    rates = [f"aspp.atrous.{i}" for i in range(3)]
    assert [round(sum(c[r] for r in rates) / G, 3) for c in counts] == pytest.approx(atrous, abs=1e-3)
    found = [round((c["aspp.pool"] + c["aspp.point"]) / G, 3) for c in counts]
    assert found == pytest.approx(pool_and_point, abs=1.5e-3)  # each of the table's two terms was rounded


@pytest.mark.parametrize(
    ("task", "millions", "released"),
    [("vip", 40.3, [68.2, 38.4, 119.3, 63.9]), ("davis", 59.3, [87.6, 49.3, 153.3, 82.1])],
)
def test_features_in_total(task: str, millions: float, released: list[float]) -> None:
    """The preset's tap is res2 (256 channels for 64), the strides are the released ones."""
    net, preset = feature_net(task, released=True), feature_net(task)
    counts = [released_features(task, size) for size in SIZES]
    assert [round(n / G, 1) for n in counts] == released
    assert round(parameters(net) / 1e6, 1) == millions
    assert parameters(preset) - parameters(net) == 192 * 48
    assert multiplies(preset, image(VIP)) - counts[0] == 192 * 48 * 128 * 128


@pytest.mark.parametrize(("task", "expected"), [("vip", [69.1, 121.0]), ("davis", [88.5, 154.9])])
def test_features_of_deeplab_proper(task: str, expected: list[float]) -> None:
    """Strides on the 3x3 convolutions."""
    net = made(FeatureNet, replace(paper(task).features, stride_on="3x3"))
    assert [round(multiplies(net, image(size)) / G, 1) for size in (VIP, DAVIS)] == expected


def step(name: str, size: tuple[int, int]) -> int:
    unit = made(UNITS[name], 256)
    return multiplies(unit.step, grid(size), unit.start([grid(size)]))


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("gru", 6 * 256 * 256 * 9 + 3 * 256, [58.0, 32.6, 101.5, 54.4]),
        ("lstm", 8 * 256 * 256 * 9 + 4 * 256, [77.3, 43.5, 135.3, 72.5]),
        ("mean", 0, [0, 0, 0, 0]),
    ],
)
def test_a_step_of_the_temporal_units(name: str, count: int, expected: list[float]) -> None:
    assert parameters(made(UNITS[name], 256)) == count
    assert [round(step(name, size) / G, 1) for size in SIZES] == expected


def test_fgfas_embedding() -> None:
    narrow, original = made(Embedding, 256), made(Embedding, 256, (512, 512, 2048))
    assert [round(multiplies(narrow, grid(s)) / G, 1) for s in (VIP, CUT, DAVIS)] == [4.0, 2.3, 7.0]
    assert [round(multiplies(original, grid(s)) / G, 1) for s in (VIP, CUT, DAVIS)] == [58.0, 32.6, 101.5]


@cache
def head() -> Any:
    sizes = paper("vip")
    return made(ParsingRCNN, 256, 20, sizes.heads, sizes.targets)


def dense(size: tuple[int, int]) -> int:
    """N_parse but for the RoIs: parsing, both trunks, RPN."""
    x, net = grid(size), head()
    return sum(multiplies(part, x) for part in (net.parsing, net.rpn_trunk, net.roi_trunk, net.rpn))


def test_dense_heads() -> None:
    parts = [multiplies(part, grid(VIP)) / G for part in (head().parsing, head().rpn_trunk, head().rpn)]
    assert parts == pytest.approx([2.3, 38.7 / 2, 20.1], abs=0.04)
    assert [round(dense(size) / G, 1) for size in (VIP, CUT)] == [61.0, 34.3]
    davis = made(AtrousClassifier, 256, 2, (6, 12, 18))
    assert [round(multiplies(davis, grid(s)) / G, 2) for s in (DAVIS, CROP)] == [0.40, 0.21]
    lean = made(RPN, 256, 256, 15)
    found = [multiplies(head().parsing, grid(s)) + multiplies(lean, grid(s)) for s in (VIP, CUT)]
    assert [round(n / G, 1) for n in found] == [12.3, 6.9]


def test_roi_heads() -> None:
    """Per RoI: the mask head plain and with the released side branch; the box head for 128 and 1,000."""
    rois = torch.empty(1, 256, 7, 7, device="meta")
    box = multiplies(head().box, rois)
    assert [round(box * n / G, 1) for n in (128, 1000)] == [1.8, 13.9]
    assert round(parameters(head().box) / 1e6, 1) == 13.9
    large = torch.empty(1, 256, 14, 14, device="meta")
    plain, side = made(MaskHead, 256, 256), made(MaskHead, 256, 256, side=True)
    assert [round(multiplies(m, large) / G, 3) for m in (plain, side)] == [0.514, 0.727]
    assert round(parameters(plain) / 1e6, 1) == 2.6
    assert parameters(side.side) == 590_080 + 2 * 256 + 295_040 + 2 * 128 + 14 * 14 * 128 * 1568 + 1568


def test_the_released_head_costs_what_the_released_script_ran() -> None:
    """1,000 proposals and 100 mask slots with the side branch: 147.6 G; 128 and 3 of them: 65.0 G."""
    released = made(FrameNet, paper("vip", released=True)).head
    sizes = released.sizes
    box = multiplies(released.box, torch.empty(1, 256, 7, 7, device="meta"))
    mask = multiplies(released.mask, torch.empty(1, 256, 14, 14, device="meta"))
    assert released.slots == 100
    assert round((dense(VIP) + sizes.proposals * box + released.slots * mask) / G, 1) == 147.6
    assert round((dense(VIP) + 128 * box + 3 * mask) / G, 1) == 65.0


def test_equation_9_by_these_counts() -> None:
    """r = (l + p) F / (l N_feat) + 1 / l for p = 0, 1, 2: flow is not free, so r is not 1 / l."""
    vip, davis = (
        (flow(size), released_features(task, size)) for task, size in (("vip", VIP), ("davis", DAVIS))
    )
    table = {
        1: (1.321, 1.641, 1.962, 1.250, 1.499, 1.749),
        3: (0.654, 0.761, 0.868, 0.583, 0.666, 0.749),
        5: (0.521, 0.585, 0.649, 0.450, 0.500, 0.550),
        10: (0.421, 0.453, 0.485, 0.350, 0.375, 0.400),
    }
    for l, expected in table.items():
        found = [(l + p) * f / (l * n) + 1 / l for f, n in (vip, davis) for p in (0, 1, 2)]
        assert found == pytest.approx(expected, abs=6e-4), l


@pytest.mark.parametrize(
    ("l", "expected"),
    [(1, (1.10, 1.74, 2.11)), (3, (0.89, 1.10, 1.23)), (5, (0.85, 0.98, 1.05)), (10, (0.82, 0.88, 0.92))],
)
def test_equation_8_by_these_counts(l: int, expected: tuple[float, ...]) -> None:
    """With the released heads; p + 1 steps of the ConvGRU, none for p = 0."""
    features = released_features("vip", VIP)
    parse, gru = 147.6 * G, step("gru", VIP)
    found = [
        ((p + 1) * gru * (p > 0) + (l + p) * flow(VIP) + l * parse + features) / (l * (features + parse))
        for p in (0, 1, 2)
    ]
    assert found == pytest.approx(expected, abs=6e-3)


def heads_count(task: str, released: bool) -> int:
    """Parameters of N_parse, layer by layer."""
    if task == "davis":
        return 3 * (256 * 2 * 9 + 2)
    conv = 256 * 256 * 9 + 256
    rpn = 256 * 512 * 9 + 512 + 512 * 30 + 30 + 512 * 60 + 60
    box = 49 * 256 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * (2 + 8) + 2 + 8
    mask = 4 * (conv + 2 * 256) + 256 * 256 * 4 + 256 + 256 * 2 + 2
    side = conv + 2 * 256 + 256 * 128 * 9 + 128 + 2 * 128 + 14 * 14 * 128 * 1568 + 1568
    return 3 * (256 * 20 * 9 + 20) + 4 * conv + rpn + box + mask + released * side


@pytest.mark.parametrize(("task", "resnet"), [("vip", 25_557_032), ("davis", 44_549_160)])
@pytest.mark.parametrize("released", [False, True])
def test_whole_networks_of_the_presets(task: str, resnet: int, released: bool) -> None:
    """The sum of all layers: ResNet without its classifier, ASPP and decoder, heads, FlowNet-S, ConvGRU."""
    aspp = 2 * (2048 * 256 + 256) + 3 * (2048 * 256 * 9 + 256) + 1280 * 256 + 256
    decoder = (64 if released else 256) * 48 + 48 + 304 * 256 * 9 + 256 + 256 * 256 * 9 + 256
    frame = resnet - 2_049_000 + aspp + decoder + heads_count(task, released)
    flow, gru = 38_725_200 + 5 * 2 + 4 * 2 + 960, 6 * 256 * 256 * 9 + 3 * 256
    assert parameters(made(FrameNet, paper(task, released))) == frame
    assert parameters(made(AtenNet, paper(task, released))) == frame + flow + gru
