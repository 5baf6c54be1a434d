"""Two processes that share a batch against one; mixed precision."""

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from safetensors.torch import load_file  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import (  # noqa: E402
    flow_gate,
    presets,
    train,
    train_data,
    train_loop,
    train_starts,
    train_task,
    weights,
)
from vipbench.baselines.presets import Preset  # noqa: E402
from vipbench.baselines.recipes import RECIPES  # noqa: E402
from vipbench.baselines.train_group import Group  # noqa: E402
from vipbench.datasets.synth import Synth  # noqa: E402

BATCH = 4
load = presets.load


def shortened(name: str, task: str) -> Preset:
    """Three steps of a temporal method whose norms are frozen, one of what it starts from; on 48x80."""
    p = load(name, task)
    return replace(
        p,
        input=replace(p.input, height=48, width=80, min_side=45),
        frame=replace(p.frame, steps=1, batch=BATCH, frozen_norm=True),
        flow_stage=replace(p.flow_stage, steps=1, batch=BATCH),
        temporal=replace(p.temporal, steps=3, batch=BATCH, warmup=0),
    )


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Short stages, a checkpoint at every step, few held-out samples, no pictures."""
    patch.setattr(presets, "load", shortened)
    patch.setattr(train, "draw", lambda rows, path, title: None)
    for name in ("HELD_OUT", "CLIPS"):
        patch.setattr(flow_gate, name, 4)
    patch.setattr(train_loop, "SAVE_EVERY", 1)
    patch.setattr(train_task, "HELD_OUT", 4)


def killed_after_one_step(root: Path, out: Path) -> None:
    """Train dff until its second step."""
    terms = train_task.Computed.terms

    def dies(self: Any, measured: Any, model: Any, samples: Any, step: int, at: range) -> Any:
        if step == 1:
            raise KeyboardInterrupt
        return terms(self, measured, model, samples, step, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_task.Computed, "terms", dies)
        with pytest.raises(KeyboardInterrupt):
            train.train("dff", "tiny", Synth(root), out)


@pytest.fixture(scope="module")
def root(small_synth: Path) -> Path:
    return small_synth


def curves(path: Path) -> list[float]:
    rows = csv.DictReader(path.with_suffix(".csv").open())
    return [float(value) for row in rows for value in row.values()]


def test_two_processes_take_the_steps_of_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss curves and weights, of a training that two began and finished, and of one that one finished."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        [*torchrun, __file__, str(root), str(tmp_path)],
        env=quiet,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shorten(monkeypatch)
    one = train.train("dff", "tiny", Synth(root), tmp_path / "one")
    assert (tmp_path / "killed" / "tiny-dff-vip.checkpoint").exists()
    train.train("dff", "tiny", Synth(root), tmp_path / "killed")
    for name in ("two", "killed"):
        other = tmp_path / name / one.name
        for stage in (one.name, "tiny-frame-vip.safetensors", "tiny-flow.safetensors"):
            expected, found = curves(one.with_name(stage)), curves(other.with_name(stage))
            assert found == pytest.approx(expected, rel=2e-3, abs=2e-4), stage
        a, b = load_file(one), load_file(other)
        assert a.keys() == b.keys()
        moved = load_file(one.with_name("tiny-frame-vip.safetensors"))
        key = "features.decode1.weight"
        step = (a[key].float() - moved[key].float()).abs().mean()
        assert (a[key].float() - b[key].float()).abs().mean() < 0.2 * step
    assert not (tmp_path / "two" / "tiny-dff-vip.checkpoint").exists()


@pytest.mark.parametrize(("size", "batch"), [(3, 4), (8, 4)])
def test_a_batch_that_cannot_be_shared(size: int, batch: int) -> None:
    stage = replace(load("tiny", "vip").frame, batch=batch)
    with pytest.raises(UserError, match=f"{size} processes cannot share a batch of {batch} images equally"):
        train._demand_shares(stage, Group(0, size))


@pytest.mark.parametrize("method", RECIPES)
def test_mixed_precision_is_near_single_and_losses_stay_in_it(method: str, root: Path) -> None:
    torch.manual_seed(0)
    recipe, sizes = RECIPES[method], load("tiny", "vip")
    net, samples = recipe.build(sizes), train_data.drawn(method, Synth(root), sizes, 0)[0]
    found = [
        train_task.Computed(mixed=mixed).terms(recipe.losses, net.eval(), samples, 0, range(1))
        for mixed in (False, True)
    ]
    exact, mixed = ({name: term.item() for name, term in terms.items()} for terms in found)
    assert {term.dtype for term in found[1].values()} == {torch.float32}
    term = "flow" if train_data.is_flow(method) else "parsing"
    assert mixed[term] == pytest.approx(exact[term], rel=0.02)
    assert mixed != exact
    torch.stack(list(found[1].values())).sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_weights_of_another_precision_are_not_taken_but_to_start_from(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    path = train.train("flow", "tiny", Synth(root), tmp_path, precision="bf16")
    assert weights.about(path)["precision"] == "bf16"
    with pytest.raises(UserError, match=r"'precision': 'bf16'.*'precision': 'float32'.*another --out"):
        train.train("flow", "tiny", Synth(root), tmp_path)
    frame = train.train("frame", "tiny", Synth(root), tmp_path)
    dff = weights.about(train.train("dff", "tiny", Synth(root), tmp_path))
    assert "precision" not in dff
    assert (dff["start_frame"], dff["start_flow"]) == tuple(map(train_starts.digest, (frame, path)))
    with pytest.raises(UserError, match="precision 'fp8'; there are: float32, bf16"):
        train.train("flow", "tiny", Synth(root), tmp_path, precision="fp8")


if __name__ == "__main__":  # what each process of the first test runs
    home, out = map(Path, sys.argv[1:])
    shorten(pytest.MonkeyPatch())
    torch.distributed.init_process_group("gloo")
    train.train("dff", "tiny", Synth(home), out / "two")
    killed_after_one_step(home, out / "killed")
    torch.distributed.destroy_process_group()
