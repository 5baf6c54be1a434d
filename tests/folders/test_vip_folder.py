"""The two layouts of VIP predictions: round trips, exact text, and every fault named."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_data import SIZE, classes, parts, persons, photo

from vipbench.errors import UserError
from vipbench.folders import ChallengeFolder, VipFolder, open_folder
from vipbench.pixels import probe, read_ids, write_ids
from vipbench.types import Frame, Parsing, Segment, SegmentMap

LAYOUTS = [VipFolder, ChallengeFolder]
VIDEO, NAME = "videos1", "000000000026"
FRAME = Frame(VIDEO, NAME, 25, Path("none.jpg"))


def parsing() -> Parsing:
    human = SegmentMap(persons(), (Segment(2, score=0.9, box=(2, 8, 10, 14)), Segment(1, score=0.75)))
    rows = (Segment(2, 2, 1, 0.5), Segment(5, 5, 1, 0.25), Segment(34, 14, 2, 0.125))
    return Parsing(SegmentMap(classes()), human, SegmentMap(parts(), rows))


@pytest.fixture(params=LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> VipFolder:
    made: VipFolder = request.param(tmp_path)
    made.write(VIDEO, NAME, parsing())
    return made


def text(folder: VipFolder, which: int) -> Path:
    return folder.root / VIDEO / folder.texts[which].format(NAME)


def image(folder: VipFolder, which: int) -> Path:
    return folder.root / VIDEO / folder.images[which].format(NAME)


def test_files_are_the_released_codes(tmp_path: Path) -> None:
    folder = VipFolder(tmp_path)
    folder.write(VIDEO, NAME, parsing())
    files = {str(p.relative_to(tmp_path / VIDEO)) for p in folder.files(VIDEO, NAME)}
    assert files == {
        f"gray/global_{NAME}.png",
        f"gray/inst_{NAME}.png",
        f"gray/scores_{NAME}.txt",
        f"instance_part/{NAME}.png",
        f"instance_part/{NAME}.txt",
    }
    assert (tmp_path / VIDEO / f"gray/scores_{NAME}.txt").read_text() == (
        "0.900000 2 8 10 14\n0.750000 1 2 10 6\n"  # the second box is the tightest one
    )
    assert (tmp_path / VIDEO / f"instance_part/{NAME}.txt").read_text() == (
        "2 0.500000\n5 0.250000\n14 0.125000\n"
    )
    assert all(probe(image(folder, which)) == ("L", SIZE) for which in range(3))
    assert read_ids(image(folder, 1))[5, 10] == 1  # id 2 is the first row, so it becomes 1


def test_files_are_the_challenges(tmp_path: Path) -> None:
    folder = ChallengeFolder(tmp_path)
    folder.write(VIDEO, NAME, parsing())
    homes = [str(p.relative_to(tmp_path / VIDEO)) for p in folder.files(VIDEO, NAME)]
    assert sorted(homes) == [
        f"global_parsing/{NAME}.png",
        f"instance_parsing/{NAME}.png",
        f"instance_parsing/{NAME}.txt",
        f"instance_segmentation/{NAME}.png",
        f"instance_segmentation/{NAME}.txt",
    ]


def test_what_is_written_is_read(folder: VipFolder) -> None:
    found = open_folder(folder.root)
    assert (found.name, found.videos(), found.frames(VIDEO)) == (folder.name, [VIDEO], [NAME])
    assert found.examine(FRAME, SIZE, 20)[1] == []
    read = found.read(VIDEO, NAME)
    assert read.layer("human").segments == (
        Segment(1, score=0.9, box=(2, 8, 10, 14)),
        Segment(2, score=0.75, box=(1, 2, 10, 6)),
    )
    assert read.layer("part").segments == (
        Segment(1, 2, 2, 0.5),
        Segment(2, 5, 2, 0.25),
        Segment(3, 14, 1, 0.125),
    )


@st.composite
def parsings(draw: st.DrawFn) -> Parsing:
    """Persons made of parts, as maps with arbitrary ids in arbitrary row order, scores of 6 decimals."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    human = rng.integers(0, draw(st.integers(1, 5)), size)
    category = rng.integers(0, 20, size)
    part = np.where((human > 0) & (category > 0), human * 20 + category, 0)
    ids = np.zeros(200, np.uint16)
    ids[1:] = rng.choice(np.arange(1, 65536), 199, replace=False)

    def rows(layer: np.ndarray) -> list[int]:
        return [int(i) for i in rng.permutation(np.unique(layer[layer > 0]))]

    people = [Segment(int(ids[i]), score=int(rng.integers(10**6)) / 1e6) for i in rows(human)]
    pieces = [
        Segment(int(ids[i]), i % 20, int(ids[i // 20]), int(rng.integers(10**6)) / 1e6) for i in rows(part)
    ]
    maps = SegmentMap(ids[human], tuple(people)), SegmentMap(ids[part], tuple(pieces))
    return Parsing(SegmentMap(category.astype(np.uint16)), *maps)


def numbered(layer: SegmentMap) -> dict[int, int]:
    return {0: 0} | {segment.id: number for number, segment in enumerate(layer.segments, 1)}


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
@given(made=parsings())
def test_round_trip(layout: type[VipFolder], made: Parsing) -> None:
    with tempfile.TemporaryDirectory() as root:
        layout(Path(root)).write(VIDEO, NAME, made)
        read = open_folder(Path(root)).read(VIDEO, NAME)
    np.testing.assert_array_equal(read.layer("category").ids, made.layer("category").ids)
    people = numbered(made.layer("human"))
    for name in ("human", "part"):
        new = numbered(made.layer(name))
        expected = np.vectorize(new.get, otypes=[np.uint16])(made.layer(name).ids)
        np.testing.assert_array_equal(read.layer(name).ids, expected)
        before = [(new[s.id], s.category, people[s.human], s.score) for s in made.layer(name).segments]
        assert [(s.id, s.category, s.human, s.score) for s in read.layer(name).segments] == before


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_published_triple_survives_both_layouts(
    layout: type[VipFolder], test_data: Path, tmp_path: Path
) -> None:
    source = test_data / "schp_triple"
    category = read_ids(source / "demo_global_human_parsing.png")
    human = SegmentMap.of(read_ids(source / "demo_instance_human_mask.png"))
    ids = read_ids(source / "demo_multiple_human_parsing.png")
    pixels = {i: np.argmax(ids == i) for i in range(1, int(ids.max()) + 1)}
    rows = [Segment(i, int(category.flat[p]), int(human.ids.flat[p])) for i, p in pixels.items()]
    layout(tmp_path).write(VIDEO, NAME, Parsing(SegmentMap(category), human, SegmentMap(ids, tuple(rows))))
    read = open_folder(tmp_path)
    assert read.examine(FRAME, (900, 1200), 20)[1] == []
    found = read.read(VIDEO, NAME)
    np.testing.assert_array_equal(found.layer("category").ids, category)
    np.testing.assert_array_equal(found.layer("human").ids, human.ids)
    np.testing.assert_array_equal(found.layer("part").ids, ids)
    assert list(found.layer("part").segments) == rows


def test_more_than_255_parts_are_written_as_16_bit(tmp_path: Path) -> None:
    """Q9: id 256 wraps to 0 in the released code's 8-bit image."""
    ids = np.arange(1, 301, dtype=np.uint16).reshape(15, 20)
    part = SegmentMap(ids, tuple(Segment(i, 1 + i % 19, 1) for i in range(1, 301)))
    human = SegmentMap(np.ones_like(ids), (Segment(1),))
    folder = VipFolder(tmp_path)
    folder.write(VIDEO, NAME, Parsing(SegmentMap.empty(ids.shape), human, part))
    assert probe(image(folder, 2))[0] == "I;16"
    np.testing.assert_array_equal(folder.read(VIDEO, NAME).layer("part").ids, ids)


def test_a_part_belongs_to_the_person_that_owns_most_of_it(tmp_path: Path) -> None:
    human = SegmentMap(np.array([[1, 1, 2, 0, 0, 0]], np.uint16), (Segment(1), Segment(2)))
    part = SegmentMap(np.array([[1, 1, 1, 1, 2, 3]], np.uint16), tuple(Segment(i, 5) for i in (1, 2, 3)))
    folder = VipFolder(tmp_path)
    folder.write(VIDEO, NAME, Parsing(SegmentMap.empty((1, 6)), human, part))
    assert [s.human for s in folder.read(VIDEO, NAME).layer("part").segments] == [1, 0, 0]


def test_an_empty_frame_is_legal(tmp_path: Path) -> None:
    folder = VipFolder(tmp_path)
    folder.write(VIDEO, NAME, Parsing.empty(SIZE, folder.layers))
    assert folder.examine(FRAME, SIZE, 20)[1] == []
    assert folder.read(VIDEO, NAME).layer("human").segments == ()
    assert text(folder, 0).read_text() == ""


def test_writing_refuses_rows_that_do_not_match(tmp_path: Path) -> None:
    made = parsing()
    strange = Parsing(made.category, made.human, SegmentMap(parts(), made.layer("part").segments[:2]))
    with pytest.raises(UserError, match=f"frame {NAME}: id 34: .* got pixels without a row"):
        VipFolder(tmp_path).write(VIDEO, NAME, strange)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("box", ["", " 1 2 3 4"], ids=["score", "score and box"])
def test_scores_come_with_or_without_boxes(folder: VipFolder, box: str) -> None:
    text(folder, 0).write_text(f"0.5{box}\n1e-05{box}\n")
    segments = folder.read(VIDEO, NAME).layer("human").segments
    assert [s.score for s in segments] == [0.5, 1e-05]
    assert segments[0].box == ((1, 2, 3, 4) if box else None)


@pytest.mark.parametrize(
    ("which", "content", "line"),
    [
        (0, "0.9 1 2 3 4\nnan 1 2 3 4\n", 2),
        (0, "high 1 2 3 4\n0.5 1 2 3 4\n", 1),
        (0, "0.9 1 2\n0.5 1 2\n", 1),
        (1, "2 0.5\n5 inf\n14 0.1\n", 2),
        (1, "2 0.5\n5 0.5\n14.5 0.1\n", 3),
    ],
)
def test_a_row_that_is_not_numbers_is_named(folder: VipFolder, which: int, content: str, line: int) -> None:
    """Q6: scores are numbers here; the released code compares them as strings."""
    text(folder, which).write_text(content)
    bad = content.splitlines()[line - 1]
    with pytest.raises(UserError, match=f"{text(folder, which).name}:{line}: expected a row .* got '{bad}'"):
        folder.read(VIDEO, NAME)
    (problem,) = folder.examine(FRAME, SIZE, 20)[1]
    assert problem.where == f"{text(folder, which)}:{line}"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("2 .5\n5 .5\n14 .5\n3 .5\n", "id 4: .* a row without pixels"),
        ("2 .5\n5 .5\n", "id 3: .* pixels without a row"),
    ],
    ids=["more rows than ids", "fewer"],
)
def test_rows_and_pixels_must_match(folder: VipFolder, rows: str, fault: str) -> None:
    """Q8: the released code ends with an IndexError."""
    text(folder, 1).write_text(rows)
    with pytest.raises(UserError, match=fault):
        folder.read(VIDEO, NAME)
    assert len(folder.examine(FRAME, SIZE, 20)[1]) == 1


def test_classes_must_be_in_range(folder: VipFolder) -> None:
    """Q10: 20 and 255 land in another row of the released code's confusion matrix."""
    ids = classes()
    ids[0, :2] = 20, 255
    write_ids(image(folder, 0), ids, colours=False)
    text(folder, 1).write_text("2 .5\n5 .5\n20 .5\n")
    found = [(p.expected, p.got) for p in folder.examine(FRAME, SIZE, 20)[1]]
    assert found == [("ids 0..19", "2 others: 20, 255"), ("a class in 1..19", "class 20")]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_sizes_are_never_changed(folder: VipFolder, which: int) -> None:
    """Q13: the released code resizes, and blends labels."""
    ids = read_ids(image(folder, which))
    write_ids(image(folder, which), np.vstack([ids, ids[-1:]]))
    (problem,) = folder.examine(FRAME, SIZE, 20)[1]
    assert (problem.where, problem.expected, problem.got) == (
        str(image(folder, which)),
        "16x12 pixels",
        "16x13",
    )
    with pytest.raises(UserError, match="pixels, got 16x1"):
        folder.read(VIDEO, NAME)


def test_damaged_and_missing_files_are_all_found(folder: VipFolder) -> None:
    photo(image(folder, 0))
    image(folder, 1).write_bytes(image(folder, 1).read_bytes()[:-25])
    text(folder, 1).unlink()
    got = [(p.where, p.got) for p in folder.examine(FRAME, SIZE, 20)[1]]
    assert [where for where, _ in got] == [str(image(folder, 0)), str(image(folder, 1)), str(text(folder, 1))]
    assert got[0][1] == "mode RGB"
    assert got[1][1].startswith("a truncated or damaged one")
    assert got[2][1] == "nothing: no such file"
    assert folder.frames(VIDEO) == [NAME]
    with pytest.raises(UserError, match="no such file"):
        folder.read(VIDEO, "000000000099")


def test_names_with_dots_are_not_predictions(folder: VipFolder) -> None:
    (folder.root / ".vipbench").mkdir()
    image(folder, 0).with_name(f".{image(folder, 0).name}").write_bytes(b"")
    assert folder.videos() == [VIDEO]
    assert folder.frames(VIDEO) == [NAME]
    assert folder.frames("videos9") == []
    assert folder.files(VIDEO, "000000000099") == []
