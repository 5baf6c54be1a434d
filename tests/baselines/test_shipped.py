"""The weights that come with vipbench: what they are, and that they reach what they are there for."""

from functools import cache
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from dataclasses import replace  # noqa: E402

from vipbench.baselines import presets, train, train_starts, weights  # noqa: E402
from vipbench.baselines.recipes import RECIPES  # noqa: E402
from vipbench.datasets import synth_write  # noqa: E402
from vipbench.datasets.synth import Synth, SynthDavis, make  # noqa: E402
from vipbench.records import Record  # noqa: E402
from vipbench.runner import run  # noqa: E402
from vipbench.scorer import score  # noqa: E402
from vipbench.specs import DatasetSpec, MethodSpec  # noqa: E402

FLOORS, METHODS = ("empty", "copy-first", "class-prior"), ("frame", "aten")
MIOU = "mIoU(absent=skip,frames=all)"
AP = "APr@0.5(absent=skip,compare=>=,frames=all,matching=once)"
MEASURED_ALONE = {
    "aten-quarter-flow",
    "aten-quarter-flow-refined",
    "aten-carry",
    "aten-stride8",
    "aten-narrow",
}
J = "J.mean(frames=inner,objects=foreground)"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split of synth, and a few training videos for class-prior."""
    home = tmp_path_factory.mktemp("synth")
    make(home, ["test"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synth_write.SPLITS, "train", replace(synth_write.SPLITS["train"], count=4, flow=False))
        make(home, ["train"])
    return home


@cache
def scored(method: str, dataset: str, root: Path) -> Record:
    data, out = DatasetSpec.of(dataset, root), root / "preds" / method / dataset
    run(MethodSpec(method), data, "test", out)
    return score(out, data, "test")


def values(dataset: str, label: str, root: Path) -> dict[str, float]:
    found = {m: scored(m, dataset, root).value(label) for m in (*FLOORS, *METHODS)}
    return {method: 100 * value for method, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("dataset", "label", "bar"), [("synth", MIOU, 50), ("synth", AP, 40), ("synth-davis", J, 50)]
)
def test_methods_reach_the_bar_and_clear_the_floors(dataset: str, label: str, bar: float, root: Path) -> None:
    found = values(dataset, label, root)
    assert set(found) == {*FLOORS, *METHODS}
    floor = max(found[m] for m in FLOORS)
    for method in METHODS:
        assert found[method] >= bar, found
        assert found[method] >= floor + 25, found


def test_files_are_small_and_say_what_they_are(root: Path) -> None:
    """They are what `vipbench train` would make of today's preset, and start from the frame model here."""
    folder = Path(weights.__file__).with_name("shipped")
    files = sorted(folder.glob("*.safetensors"))
    assert sum(f.stat().st_size for f in files) <= 20_000_000
    kinds = {"vip": Synth(root), "davis": SynthDavis(root)}
    for file in files:
        found = weights.about(file)
        task, method = found["task"], found["method"]
        sizes = RECIPES[method].sized(presets.load(found["preset"], task))
        if found["preset"] == "small":  # learnt from the same videos at another size
            found |= {"data": train._about(method, sizes, kinds[task], 0)["data"]}
        chosen = {"precision": found["precision"]} if "precision" in found else None
        expected = train._about(method, sizes, kinds[task], 0, chosen)
        assert file == train_starts.file_of(folder, expected)
        assert expected.items() <= found.items()
        assert found["plateau"] in ("yes", "no")
        first = RECIPES[method].starts[:1]
        for start in first:
            path = folder / f"{found['preset']}-{start}-{task}.safetensors"
            if path.name != "small-frame-davis.safetensors":  # which does not come along
                assert found[f"start_{start}"] == train_starts.digest(path)
    of = {
        preset: {weights.about(f)["method"] for f in files if f.name.startswith(preset)}
        for preset in ("tiny", "small")
    }
    assert of["tiny"] == set(RECIPES) - {"flow", "flow-quarter", "aten-fast"} - MEASURED_ALONE
    assert of["small"] == {"aten", "aten-fast"}
