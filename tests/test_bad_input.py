"""The fifteen kinds of bad input that evaluators meet, each named by `vipbench check`.

What cannot be scored is an error, with exit status 1 and a line that names the path, what was expected, what
was found and how to mend it. What can be scored all the same is a warning, with exit status 0.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_png import Kind, png
from PIL import Image
from tiny import SIZE, Cli, make_davis

from vipbench.pixels import read_ids, write_ids

NOTHING = np.zeros(SIZE, np.uint16)


class Davis:
    """A tiny DAVIS with predictions for it; `path` is one of their files."""

    def __init__(self, cli: Cli, root: Path, folder: Path, year: int = 2016) -> None:
        self.cli, self.root, self.folder, self.year = cli, root, folder, year
        self.path = folder / "bee/00002.png"

    def call(self, command: str, code: int, *options: object) -> str:
        """What a command prints, if it exits with this status and without a traceback."""
        words = (command, self.folder, "--dataset", "davis", "--data", self.root, "--year", self.year)
        result = self.cli(*words, *options)
        assert (result.exit_code, "Traceback" in result.output) == (code, False), result.output
        return result.output

    def error(self, *says: object) -> None:
        """`check` lists one error that says all of this; `score` stops at it."""
        assert says_all(self.call("check", 1), "error: ", says) == 1
        self.call("score", 1)
        assert not Path("records").exists()

    def warns(self, *says: object) -> None:
        """`check` lists it as a warning, and there is a score."""
        assert says_all(self.call("check", 0), "warning: ", says) == 1
        self.call("score", 0)

    def scores(self) -> dict[str, float | None]:
        """The numbers of the whole split."""
        found = json.loads(self.call("score", 0, "--format", "json").partition("\n{")[2].join(["{", ""]))
        return {s["measure"]: s["value"] for s in found["scores"] if s["scope"] == "all"}


def says_all(output: str, level: str, says: tuple[object, ...]) -> int:
    """How many lines of this level say all of this."""
    lines = [line for line in output.splitlines() if line.startswith(level)]
    found = [line for line in lines if all(str(text) in line for text in says)]
    assert found, output
    return len(found)


@pytest.fixture
def davis(cli: Cli, davis_root: Path, davis_preds: Path) -> Davis:
    return Davis(cli, davis_root, davis_preds)


@pytest.fixture
def davis2017(davis: Davis) -> Davis:
    """The square is object 1, and has a smaller one, 2, in front of it."""
    (davis.root / "ImageSets/2017").symlink_to(davis.root / "ImageSets/2016")
    for path in (*(davis.root / "Annotations").rglob("*.png"), *davis.folder.glob("*/*.png")):
        ids = (read_ids(path) != 0).astype(np.uint16)
        ids[6:8] *= 2
        write_ids(path, ids)
    return Davis(davis.cli, davis.root, davis.folder, 2017)


class Vip(Davis):
    def call(self, command: str, code: int, *options: object) -> str:
        words = (command, self.folder, "--dataset", "vip", "--data", self.root)
        result = self.cli(*words, *options)
        assert (result.exit_code, "Traceback" in result.output) == (code, False), result.output
        return result.output


@pytest.fixture
def vip(cli: Cli, vip_root: Path, vip_preds: Path) -> Vip:
    return Vip(cli, vip_root, vip_preds)


class Test1ColoursWhereIdsAreExpected:
    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
    def test_colour_modes(self, davis: Davis, mode: str) -> None:
        Image.new(mode, SIZE[::-1]).save(davis.path)
        davis.error(davis.path, "expected a label PNG", mode, "Save the ids themselves")


class Test2HighValues:
    def test_any_nonzero_value_is_the_object_of_2016(self, davis: Davis) -> None:
        whole = davis.scores()
        for value, path in zip((1, 40, 254, 255), sorted(davis.path.parent.iterdir()), strict=False):
            write_ids(path, np.where(read_ids(path), value, 0).astype(np.uint16))
        assert davis.scores() == whole

    @pytest.mark.parametrize(("value", "mend"), [(40, "not gray values"), (255, "255 is no id")])
    def test_ids_of_2017_are_objects(self, davis2017: Davis, value: int, mend: str) -> None:
        write_ids(davis2017.path, np.where(read_ids(davis2017.path), value, 0).astype(np.uint16))
        davis2017.error(davis2017.path, "expected ids 0..2", f"1 others: {value}", mend)


class Test3MissingFrame:
    def test_it_scores_as_empty(self, davis: Davis) -> None:
        write_ids(davis.path, NOTHING)
        empty = davis.scores()
        davis.path.unlink()
        davis.warns(davis.path.parent, "4 scored frames", "1 missing: 00002", "score as empty")
        assert davis.scores() == empty
        assert "error: " in davis.call("check", 1, "--strict-frames")


class Test4Sequences:
    def test_missing(self, davis: Davis) -> None:
        shutil.rmtree(davis.path.parent)
        davis.warns(davis.path.parent, "predictions for this video", "none", "predict it")

    def test_extra(self, davis: Davis) -> None:
        shutil.copytree(davis.path.parent, davis.folder / "wasp")
        davis.warns(davis.folder, "videos of davis val alone", "1 more: wasp", "not scored")

    @pytest.mark.parametrize("zipped", [False, True])
    def test_one_nested_top_folder_is_opened(self, davis: Davis, tmp_path: Path, zipped: bool) -> None:
        whole = davis.scores()
        davis.folder = davis.folder.rename(tmp_path / "top").parent / "upload"
        davis.folder.mkdir()
        (tmp_path / "top").rename(davis.folder / "results")
        if zipped:
            davis.folder = Path(shutil.make_archive(str(davis.folder), "zip", davis.folder))
        assert davis.scores() == whole

    def test_several_nested_folders_are_named(self, davis: Davis, tmp_path: Path) -> None:
        for name in ("ours", "theirs"):
            shutil.copytree(davis.folder, tmp_path / "both" / name)
        davis.folder = tmp_path / "both"
        davis.error(davis.folder, "2 prediction folders", "ours, theirs")

    def test_a_single_sequence(self, davis: Davis) -> None:
        davis.folder = davis.path.parent
        davis.error(davis.folder, "frames without a video folder", "pass the folder that holds")


class Test5Size:
    def test_nothing_is_resized(self, davis: Davis) -> None:
        write_ids(davis.path, np.zeros((6, 8), np.uint16))
        davis.error(davis.path, "expected 16x12 pixels, got 8x6", "frame's own size")

    def test_one_layer_of_vip(self, vip: Vip) -> None:
        path = vip.folder / "videos1/gray/inst_000000000026.png"
        write_ids(path, np.repeat(read_ids(path), 2, axis=0))
        vip.error(path, "expected 16x12 pixels, got 16x24", "frame's own size")


class Test6Names:
    def rename(self, davis: Davis, name: str, shift: int = 0) -> None:
        for path in sorted(davis.path.parent.iterdir(), reverse=True):
            path.rename(path.with_name(name.format(int(path.stem) + shift)))

    def test_numbers_from_1(self, davis: Davis) -> None:
        self.rename(davis, "{:05d}.png", 1)
        davis.error(
            davis.path.parent, "frames 00000 to 00005, got 00001 to 00006", "too high", "Number them from 0"
        )

    def test_other_zero_padding(self, davis: Davis) -> None:
        self.rename(davis, "{:06d}.png")
        davis.error(davis.path.parent, "frames named 00000", "000000, 000001", "Name them as in the data set")

    def test_jpeg_masks(self, davis: Davis) -> None:
        self.rename(davis, "{:05d}.jpg")
        davis.error(davis.path.parent, "frames named 00000", "00000.jpg", "Name them as in the data set")
        shutil.rmtree(davis.folder / "ant")
        davis.error(davis.folder, "JPEG", "bee/00000.jpg", "Write PNG")

    def test_jpeg_by_another_name(self, davis: Davis) -> None:
        """Its blur makes values that are no ids."""
        Image.fromarray((read_ids(davis.path) != 0) * np.uint8(255)).save(davis.path, "JPEG")
        davis.warns(davis.path, "one value for each object", "values beside 0", "threshold")

    def test_files_of_the_system_are_passed_over(self, davis: Davis) -> None:
        for name in (".DS_Store", "bee/.DS_Store", "bee/._00000.png"):
            (davis.folder / name).write_bytes(b"\0\0\0\1Bud1")
        (davis.folder / "__MACOSX/bee").mkdir(parents=True)
        (davis.folder / "__MACOSX/bee/._00000.png").write_bytes(b"")
        assert "error: " not in davis.call("check", 0, "--strict-frames")


class Test7Ids:
    def test_ids_with_gaps(self, davis2017: Davis) -> None:
        """Object 2 alone is predicted."""
        write_ids(davis2017.path, np.where(read_ids(davis2017.path) == 2, 2, 0).astype(np.uint16))
        assert "warning: " not in davis2017.call("check", 0)

    def test_ids_beyond_the_first_frame(self, davis2017: Davis) -> None:
        write_ids(davis2017.path, read_ids(davis2017.path) * 2)
        davis2017.error(davis2017.path, "expected ids 0..2", "1 others: 4")

    def test_more_than_20_proposals(self, davis2017: Davis) -> None:
        write_ids(davis2017.path, np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE) % 22)
        davis2017.error(davis2017.path, "expected ids 0..2", "19 others: 3, 4, 5, 6, 7, ...")

    def test_more_than_20_proposals_without_supervision(self, davis2017: Davis) -> None:
        (davis2017.root / "Annotations_unsupervised").symlink_to(davis2017.root / "Annotations")
        ids = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE) % 21
        write_ids(davis2017.path, ids)
        assert "error: " not in davis2017.call("check", 0, "-d", "task=unsupervised")
        ids[0, 0] = 21
        write_ids(davis2017.path, ids)
        for command in ("check", "score"):
            output = davis2017.call(command, 1, "-d", "task=unsupervised")
            assert says_all(output, "error: ", (davis2017.path, "expected ids 0..20", "1 others: 21")) == 1


class Test8NothingToScore:
    def empty(self, davis: Davis, sequence: str, value: int = 0) -> None:
        for path in (davis.root / "Annotations/480p" / sequence).iterdir():
            write_ids(path, np.full(SIZE, value, np.uint16))

    def test_ground_truth_without_an_object(self, davis: Davis) -> None:
        """An empty prediction of it must not score 1."""
        self.empty(davis, "bee")
        davis.error("bee", "an object in some frame", "background alone")

    def test_ground_truth_of_void_alone(self, davis2017: Davis) -> None:
        """255 is background in the semi-supervised task."""
        self.empty(davis2017, "bee", 255)
        davis2017.error("bee", "an object in some frame", "background alone")


class Test9Lengths:
    @pytest.mark.parametrize("frames", [1, 2])
    def test_too_short(self, davis: Davis, frames: int) -> None:
        """No frame is left without the first and the last: the sequence leaves the mean, with a warning."""
        for path in (*davis.root.glob("*/480p/bee/*"), *davis.path.parent.iterdir()):
            if int(path.stem) >= frames:
                path.unlink()
        davis.warns("video bee", "a frame that counts", f"got {frames}, none", "left out of the mean")
        assert all(value is not None for value in davis.scores().values())

    def test_more_than_255_frames(self, cli: Cli, tmp_path: Path) -> None:
        """D17 keeps the edges of decay's bins in 8 bits, which makes decay wrong or NaN."""
        root = make_davis(tmp_path / "long")
        square = (root / "Annotations/480p/bee/00000.png").read_bytes()
        for t in range(260):
            (root / f"Annotations/480p/bee/{t:05d}.png").write_bytes(square)
        shutil.copytree(root / "Annotations/480p", tmp_path / "preds")
        for path in sorted((tmp_path / "preds/bee").iterdir())[130:]:
            write_ids(path, NOTHING)
        shutil.rmtree(tmp_path / "preds/cat")
        found = Davis(cli, root, tmp_path / "preds")
        (decay,) = [value for name, value in found.scores().items() if name.startswith("J.decay")]
        assert decay == 0.5  # of two sequences one loses all


class Test10Files:
    def test_smooth_masks(self, davis: Davis) -> None:
        """Gray edges make an object larger: every value that is not 0 counts."""
        edge = np.linspace(0, 255, SIZE[1]).astype(np.uint16)
        write_ids(davis.path, np.tile(edge, (SIZE[0], 1)), colours=False)
        davis.warns(davis.path, "one value for each object", "15 values beside 0: 17, 34", "threshold")

    def test_smooth_masks_in_every_frame_are_told_once_a_video(self, davis: Davis) -> None:
        edge = np.linspace(0, 255, SIZE[1]).astype(np.uint16)
        for path in davis.folder.glob("*/*.png"):
            write_ids(path, np.tile(edge, (SIZE[0], 1)), colours=False)
        for command in ("check", "score"):
            output = davis.call(command, 0)
            assert says_all(output, "warning: ", ("/00000.png", "17, 34", "and 5 more files like it")) == 2

    def test_void_beside_objects(self, davis: Davis) -> None:
        ids = (read_ids(davis.path) != 0).astype(np.uint16)
        ids[0] = 255
        write_ids(davis.path, ids)
        davis.warns(davis.path, "one value for each object", "2 values beside 0: 1, 255", "write 0 for void")

    @pytest.mark.parametrize("kept", [0, 8, 40, 60, -25])
    def test_truncated(self, davis: Davis, kept: int) -> None:
        davis.path.write_bytes(davis.path.read_bytes()[:kept])
        davis.error(davis.path, "image", "Write or copy it again")

    def test_no_image(self, davis: Davis) -> None:
        davis.path.write_text("<html>404</html>")
        davis.error(davis.path, "image", "Write or copy it again")

    def test_16_bit_ids(self, davis2017: Davis) -> None:
        whole = davis2017.scores()
        davis2017.path.write_bytes(png(read_ids(davis2017.path), Kind(bits=16)))
        assert davis2017.scores() == whole

    def test_a_truncated_zip_file(self, davis: Davis, tmp_path: Path) -> None:
        davis.folder = Path(shutil.make_archive(str(tmp_path / "p"), "zip", davis.folder))
        davis.folder.write_bytes(davis.folder.read_bytes()[:-100])
        davis.error(davis.folder, "a folder or a zip file", "damaged", "Zip the folder again")

    def test_a_damaged_file_in_a_zip_file(self, davis: Davis, tmp_path: Path) -> None:
        davis.path.write_bytes(davis.path.read_bytes()[:60])
        davis.folder = Path(shutil.make_archive(str(tmp_path / "p"), "zip", davis.folder))
        davis.error(f"{davis.folder}/bee/00002.png", "Write or copy it again")


class Test11Parsing:
    def test_classes_out_of_range(self, vip: Vip) -> None:
        path = vip.folder / "videos1/gray/global_000000000026.png"
        write_ids(path, read_ids(path) * 9, colours=False)
        vip.error(path, "expected ids 0..19", "1 others: 45", "Save the ids themselves, not gray values")

    def test_void(self, vip: Vip) -> None:
        path = vip.folder / "videos1/gray/global_000000000026.png"
        write_ids(path, np.where(read_ids(path), read_ids(path), 255).astype(np.uint16), colours=False)
        vip.error(path, "expected ids 0..19", "1 others: 255", "write 0 where nothing is predicted")

    @pytest.mark.parametrize(
        ("rows", "says"),
        [
            ("2 1\n5 1\n2 1\n", ("id 4", "one row for each id", "pixels without a row")),
            ("2 1\n5 1\n2 1\n5 1\n3 1\n", ("id 5", "one row for each id", "a row without pixels")),
            ("2 1\n5 1\n2 1\n20 1\n", ("id 4", "a class in 1..19", "class 20")),
            ("2 1\n5 nan\n2 1\n5 1\n", (".txt:2", "a row '%d %f'", "'5 nan'", "plain numbers")),
            ("2 1\n5 1\n2 high\n5 1\n", (".txt:3", "a row '%d %f'", "'2 high'", "plain numbers")),
            ("2 1\n5 1 1\n2 1\n5 1\n", (".txt:2", "a row '%d %f'", "'5 1 1'", "plain numbers")),
        ],
        ids=["fewer rows", "more rows", "class", "nan", "text", "columns"],
    )
    def test_rows(self, vip: Vip, rows: str, says: tuple[str, ...]) -> None:
        path = vip.folder / "videos1/instance_part/000000000026.txt"
        path.write_text(rows)
        vip.error(path.with_suffix(""), *says)

    def test_scientific_and_tied_scores(self, vip: Vip) -> None:
        whole = vip.scores()
        path = vip.folder / "videos1/instance_part/000000000026.txt"
        forms = zip(path.read_text().splitlines(), ("1e0", "1.0E+00", "+1", "1."), strict=True)
        rows = [line.replace("1.000000", form) for line, form in forms]
        path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
        assert vip.scores() == whole

    def test_more_than_255_part_instances(self, vip: Vip) -> None:
        """A row for the 256th, which an image of 8 bits cannot hold."""
        path = vip.folder / "videos1/instance_part/000000000026.png"
        ids = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE)
        write_ids(path, (ids + 100).astype(np.uint16), colours=False)
        path.with_suffix(".txt").write_text("2 1\n" * 291)
        assert "instance_part/000000000026.png: id 1:" in vip.call("check", 1)
        write_ids(path, (ids + 1).astype(np.uint16), colours=False)
        path.with_suffix(".txt").write_text("2 1\n" * ids.size)
        assert "error: " not in vip.call("check", 0)


class Test12FramesWithoutGroundTruth:
    def test_they_are_not_scored(self, davis: Davis) -> None:
        whole = davis.scores()
        shutil.copy(davis.path, davis.path.with_name("00006.png"))
        davis.warns(davis.path.parent, "frames named as in the data set", "1 more: 00006", "not scored")
        assert davis.scores() == whole


class Test13StaleResults:
    def test_a_file_of_the_same_time_and_size_is_read_again(self, davis: Davis) -> None:
        for path in davis.folder.glob("*/*.png"):  # not compressed, so that all have the same size
            Image.fromarray(read_ids(path).astype(np.uint8)).save(path, compress_level=0)
        before, status = davis.scores(), davis.path.stat()
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(davis.path, compress_level=0)
        os.utime(davis.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert davis.path.stat().st_size == status.st_size
        after = davis.scores()
        (mean,) = [name for name in after if name.startswith("J.mean")]
        assert after[mean] < before[mean]

    def test_a_record_is_written_anew(self, davis: Davis) -> None:
        davis.call("score", 0, "--out", "record.json")
        first = Path("record.json").read_text()
        write_ids(davis.path, NOTHING)
        davis.call("score", 0, "--out", "record.json")
        assert Path("record.json").read_text() != first


class Test14Duplicates:
    def test_two_parts_of_a_class_in_one_person(self, vip: Vip) -> None:
        path = vip.folder / "videos1/instance_part/000000000026.png"
        ids = read_ids(path).astype(np.uint16)
        ids[1][ids[1] == 1] = 5
        write_ids(path, ids, colours=False)
        rows = path.with_suffix(".txt")
        rows.write_text(rows.read_text() + "2 0.5\n")
        vip.warns(path, "one segment for each class and person", "2 of class 2 in person 1", "join them")


class Test15TheGroundTruthItself:
    def test_the_same_folder(self, davis: Davis) -> None:
        davis.folder = davis.root / "Annotations/480p"
        davis.warns(davis.folder, "expected predictions, got the ground truth itself", "Pass")

    def test_a_copy(self, davis: Davis) -> None:
        shutil.rmtree(davis.folder)
        shutil.copytree(davis.root / "Annotations/480p", davis.folder)
        davis.warns(davis.folder, "expected predictions, got the ground truth itself", "Pass")
