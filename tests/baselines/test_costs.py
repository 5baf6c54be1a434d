"""What a method costs by count, at full size, against the cost model written out by hand (r of each row)."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import made  # noqa: E402

from vipbench import registry  # noqa: E402
from vipbench.baselines import costs, presets  # noqa: E402
from vipbench.baselines.network import FgfaNet, FrameNet, GuidedNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.costs import Cost  # noqa: E402

G = 1e9
RELEASED = {"vip": "paper-vip-released", "davis": "paper-davis-released"}
Costing = Callable[..., Cost]


@pytest.fixture
def costing(monkeypatch: pytest.MonkeyPatch) -> Costing:
    """The cost of a method by name and options, with a network of the released graph without weights."""

    def network(build: Any, *_: object) -> tuple[Any, str]:
        with torch.device("meta"):
            return build(presets.load(RELEASED[task], task)).eval(), ""

    def cost(name: str, of: str, **options: Any) -> Cost:
        nonlocal task
        task = of
        factory = registry.load("methods", name)
        monkeypatch.setattr(sys.modules[factory.__module__], "network", network)
        found: Cost = factory(made(task), **options).cost()
        return found

    task = ""
    return cost


@cache
def counted(kind: Any, preset: str, task: str) -> dict[str, float]:
    with torch.device("meta"):
        found = costs.modules(kind(presets.load(preset, task)))
    return {name: count / G for name, count in found.items()}


def test_modules_at_full_size() -> None:
    """The released graph; N_parse of VIP with 1,000 proposals and 100 mask slots."""
    vip, davis = (counted(AtenNet, RELEASED[task], task) for task in ("vip", "davis"))
    assert {name: round(n, 1) for name, n in vip.items()} == {
        "features": 68.2,
        "heads": 147.6,
        "flow": 21.9,
        "warp": 0.0,
        "temporal": 58.0,
    }
    assert [round(davis[n], 1) for n in ("features", "flow", "temporal")] == [153.3, 38.3, 101.5]
    assert [round(found["warp"], 2) for found in (vip, davis)] == [0.02, 0.04]
    assert round(davis["heads"], 2) == 0.40


def test_the_papers_heads_have_fewer_proposals_and_masks() -> None:
    """128 proposals and 3 masks of the plain mask head: 61.0 + 1.8 + 3 x .514 G."""
    assert counted(AtenNet, "paper-vip", "vip")["heads"] == pytest.approx(61.0 + 1.78 + 3 * 0.514, abs=0.05)


def test_fgfa_moves_features_and_embedding_without_a_scale() -> None:
    found = counted(FgfaNet, "paper-vip", "vip")
    assert found["embedding"] == pytest.approx(4.03, abs=0.01)
    assert found["warp"] * G == 4 * (256 + 512) * 128 * 128
    assert found["temporal"] == 0


def test_equation_9(costing: Costing) -> None:
    """r = (l + p) F / (l N_feat) + 1 / l."""
    table = {
        ("vip", 3): (0.654, 0.761, 0.868),
        ("vip", 5): (0.521, 0.585, 0.649),
        ("davis", 3): (0.583, 0.666, 0.749),
        ("davis", 4): (0.500, 0.562, 0.624),
        ("davis", 10): (0.350, 0.375, 0.400),
    }
    costs = {task: costing("aten", task) for task in RELEASED}
    for (task, l), expected in table.items():
        found = [replace(costs[task], frames=l, p=p).eq9 for p in (0, 1, 2)]
        assert found == pytest.approx(expected, abs=6e-4), (task, l)


def test_equation_8(costing: Costing) -> None:
    table = {
        ("vip", 1): (1.10, 1.74, 2.11),
        ("vip", 3): (0.89, 1.10, 1.23),
        ("vip", 5): (0.85, 0.98, 1.05),
        ("davis", 3): (0.58, 1.11, 1.41),
        ("davis", 5): (0.45, 0.77, 0.95),
    }
    costs = {task: costing("aten", task) for task in RELEASED}
    for (task, l), expected in table.items():
        found = [replace(costs[task], frames=l, p=p).eq8 for p in (0, 1, 2)]
        assert found == pytest.approx(expected, abs=6e-3), (task, l)


@pytest.mark.parametrize(
    ("name", "options", "vip", "davis"),
    [
        ("frame", {}, 1, 1),
        ("dff", {"flow_input": "full"}, 0.807, 0.326),
        ("dff", {}, 0.738, 0.156),
        ("aten", {}, 1.19, 1.33),
        ("aten", {"l": 4}, 1.09, 1.06),
        ("aten", {"l": 5}, 1.03, 0.90),
        ("aten", {"p": 1}, 1.07, 1.02),
        ("aten", {"unit": "lstm"}, 1.28, 1.55),
        ("aten", {"unit": "mean"}, 0.92, 0.67),
    ],
)
def test_the_exact_ratio(
    costing: Costing, name: str, options: dict[str, Any], vip: float, davis: float
) -> None:
    """By the calls themselves: l - 1 + p flows a segment."""
    found = [costing(name, task, **options).ratio for task in ("vip", "davis")]
    assert found == pytest.approx((vip, davis), abs=6e-3)


@pytest.mark.parametrize(("cache", "vip", "davis"), [(True, 1.90, 3.20), (False, 4.91, 12.6)])
def test_the_exact_ratio_of_fgfa(costing: Costing, cache: bool, vip: float, davis: float) -> None:
    """9 flows without a scale field; the expected figures are without the warp."""
    for task, expected in (("vip", vip), ("davis", davis)):
        cost = costing("fgfa", task, reading="all", flow_input="full", cache=cache)
        bare = replace(cost, modules=cost.modules | {"warp": 0})
        assert bare.ratio == pytest.approx(expected, rel=6e-3)
        assert (cost.eq8, cost.eq9) == (None, None)


def test_without_alignment_the_other_keys_need_no_flow(costing: Costing) -> None:
    calls = {align: costing("aten", "vip", align=align).calls for align in (True, False)}
    assert [calls[align]["flow"] for align in (True, False)] == [4, 2]


def test_an_ensemble_over_offsets_does_all_but_the_heads_l_times(costing: Costing) -> None:
    one, every = (costing("aten", "davis", offset=offset) for offset in (0, "all"))
    heads = 3 * one.modules["heads"]
    assert every.a_frame * 3 - heads == pytest.approx(3 * (one.a_frame * 3 - heads))
    assert every.eq8 is None


def test_the_weights_place_does_not_matter() -> None:
    torch.manual_seed(0)
    for kind in (FrameNet, GuidedNet, AtenNet):
        real = kind(presets.load("tiny", "vip"))
        before = {name: t.clone() for name, t in real.state_dict().items()}
        assert {n: c / G for n, c in costs.modules(real).items()} == counted(kind, "tiny", "vip")
        assert all(torch.equal(t, before[name]) for name, t in real.state_dict().items())


def test_a_cost_comes_back_from_a_run(costing: Costing) -> None:
    cost = costing("aten", "davis", l=4)
    assert Cost.of(asdict(cost)) == cost
    for said in (None, {}, {"modules": {}, "calls": {}, "frames": 0}, {"modules": 1}, {"frames": 2}):
        assert Cost.of(said) is None
