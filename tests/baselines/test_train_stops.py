"""What a training refuses, and when: losses that are no numbers, other starts, folders, environments."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from safetensors.torch import load_file, save_file  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets, train, train_loop, train_starts  # noqa: E402
from vipbench.baselines.recipes import RECIPES  # noqa: E402
from vipbench.baselines.train_group import ALONE, Group, joined  # noqa: E402
from vipbench.baselines.train_log import Log  # noqa: E402
from vipbench.baselines.train_loop import Checkpoint, fit  # noqa: E402
from vipbench.baselines.train_task import Task  # noqa: E402

STAGE = replace(presets.load("tiny", "vip").temporal, steps=6, warmup=0)


def run(losses: Callable[[Any, int], Any], home: Path) -> Any:
    """Six steps on a layer with one weight, a checkpoint after every second."""
    model = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.zeros_(model.bias)
    task = Task("toy", STAGE, lambda step: {"loss": losses(model, step)}, lambda: {"loss": 1.0})
    fit(model, task, Checkpoint(home / "toy.checkpoint", {}), Log(None, STAGE.steps), ALONE)
    return model


def scaled(at: int, by: float) -> Callable[[Any, int], Any]:
    return lambda model, step: model(torch.ones(1)).sum() ** 2 * (by if step == at else 1.0)


@pytest.mark.parametrize("by", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training(
    by: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_loop, "SAVE_EVERY", 2)
    with pytest.raises(
        UserError, match=rf"toy, step 4: expected finite losses, got loss {by}.*last good steps"
    ):
        run(scaled(3, by), tmp_path)
    kept = torch.load(tmp_path / "toy.checkpoint", weights_only=True)
    assert kept["step"] == 2
    assert kept["parts"]["model"]["weight"].isfinite().all()
    whole, resumed = run(scaled(-1, 1.0), tmp_path / "whole"), run(scaled(-1, 1.0), tmp_path)
    assert torch.equal(whole.weight, resumed.weight)


def test_a_gradient_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    """The square root has an infinite slope at 0."""
    with pytest.raises(UserError, match=r"toy, step 1: .* norm of all gradients (nan|inf)"):
        run(lambda model, step: (model(torch.ones(1)) * 0).abs().sqrt().sum(), tmp_path)
    assert not (tmp_path / "toy.checkpoint").exists()


def test_a_start_is_known_by_its_tensors_alone(tmp_path: Path) -> None:
    a, b, c = (tmp_path / f"{name}.safetensors" for name in "abc")
    values = {"x": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    save_file(values, a, {"plateau": "yes"})
    save_file(values, b, {"plateau": "no"})
    save_file(values | {"x": values["x"].reshape(3, 2)}, c)
    assert train_starts.digest(a) == train_starts.digest(b) != train_starts.digest(c)
    told = train_starts.told({"frame": a, "flow": tmp_path / "none.safetensors"})
    assert told == {"start_frame": train_starts.digest(a)}


class Data:
    name, version, layers = "made", "1", ("object",)


def job(home: Path, **more: Any) -> train.Job:
    return train.Job(presets.load("tiny", "davis"), Data(), home, **more)  # type: ignore[arg-type]


def written(method: str, asked: train.Job, **more: str) -> Path:
    """New weights of a method, as if it had been trained."""
    about = train._about(method, asked.sizes, asked.dataset, asked.seed) | more
    path = train_starts.file_of(asked.out, about)
    save_file(
        {n: t.contiguous() for n, t in RECIPES[method].build(asked.sizes).state_dict().items()}, path, about
    )
    return path


def test_a_replaced_start_is_noticed(tmp_path: Path) -> None:
    asked = job(tmp_path)
    starts = {name: written(name, asked) for name in ("frame", "flow")}
    dff = written("dff", asked, **train_starts.told(starts))
    assert train._trained("dff", asked) == dff
    state = load_file(starts["flow"])
    save_file(state | {"scale.bias": state["scale.bias"] + 1}, starts["flow"])
    with pytest.raises(
        UserError, match=r"tiny-dff-davis.* was trained with .*start_flow.*Choose another --out"
    ):
        train._trained("dff", asked)
    starts["flow"].unlink()  # nobody asks for what a finished training does not need
    assert train._trained("dff", asked) == dff


def test_imported_weights_are_a_start_and_never_what_a_training_made(tmp_path: Path) -> None:
    asked = job(tmp_path)
    path = written("frame", asked, imported="parsing_rcnn.h5", settings="theirs")
    assert train._trained("frame", asked, as_start=True) == path
    with pytest.raises(UserError, match=r"holds imported weights \(parsing_rcnn.h5\).*another --out"):
        train._trained("frame", asked)


def test_a_folder_that_cannot_be_written_is_said_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: weights cannot be written there"):
        train.train("frame", "tiny", Data(), tmp_path / "file")  # type: ignore[arg-type]


def test_frozen_norms_without_a_backbone_are_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    asked = job(tmp_path, note=notes.append)
    train._begun(RECIPES["frame"], {}, asked)
    assert not notes  # norms of tiny are live
    frozen = replace(asked.sizes, frame=replace(asked.sizes.frame, frozen_norm=True))
    train._begun(RECIPES["frame"], {}, replace(asked, sizes=frozen))
    assert len(notes) == 1
    assert "Pass --backbone" in notes[0]


def test_processes_need_all_that_torchrun_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="WORLD_SIZE is 2, but RANK, MASTER_ADDR, MASTER_PORT is not set"):
        joined("cpu").__enter__()


def test_processes_that_see_different_files_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def gathered(found: list[int], number: int) -> None:
        found[:] = [number, 0]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gathered)
    assert Group(0, 2).agreed(0, "w") == 0
    assert Group(0, 2).agreed(False, "w") is False
    assert ALONE.agreed(200, "w") == 200
    with pytest.raises(UserError, match="w is not the same for all 2 processes"):
        Group(0, 2).agreed(200, "w")


def test_a_checkpoint_is_read_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one made on a GPU can be gone on from without one, and takes no room on it."""
    asked: list[Any] = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: asked.append(k.get("map_location")) or load(*a, **k))
    checkpoint = Checkpoint(tmp_path / "c", {})
    checkpoint.save(4, {})
    assert checkpoint.load({}) == 4
    assert asked == ["cpu"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_folder_of_each_process_for_itself_is_said_first(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes on two machines the second does not see what the first one wrote."""
    seen: list[bool] = []

    def gathered(found: list[bool], own: bool) -> None:
        seen.append(own)
        found[:] = [True, False]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gathered)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    with pytest.raises(
        UserError, match="out is not the same for all 2 processes: expected --out to be a folder"
    ):
        train_starts.demand_folder(tmp_path / "out", Group(rank, 2))
    assert seen == [rank == 0]
    assert not list((tmp_path / "out").iterdir())
