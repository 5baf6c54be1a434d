"""COCO, or any data set in its JSON format: objects in single images, each with its own mask and box.

An image is a video of one frame; both are called by the image's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from vipbench.datasets import coco_check
from vipbench.datasets.coco_file import PREFIX, CocoFile, load
from vipbench.errors import Problem, ProblemError, UserError
from vipbench.types import Frame, Instances, Parsing, Video

ABOUT = """\
COCO (Common Objects in Context, Lin et al., ECCV 2014): 80 categories. 2017: 118,287 images train, 5,000 val.
Any data set in the same JSON format is read: "images", "annotations" (polygons or run lengths), "categories".
Where to ask: https://cocodataset.org, "Train/Val annotations" (241 MB for 2017); `score` needs no images.
Licence: annotations CC BY 4.0; the images have licences of their own.
Pass one file, --data instances_val2017.json, or the folder ROOT that holds annotations/instances_<split>.json
  (and images in <split>/).
Then: export VIPBENCH_COCO=ROOT; vipbench data check coco. Needs pip install 'vipbench[coco]'"""


class Coco:
    """COCO at `root`, an instances_<split>.json, or the folder of annotations/instances_<split>.json."""

    name = "coco"
    version = "instances"
    layers: tuple[str, ...] = ("instances",)
    void: int | None = None
    protocols: tuple[str, ...] = ("coco-segm",)
    layout = "coco"
    splits: tuple[str, ...] = ("val2017", "train2017")
    env = "VIPBENCH_COCO"
    about = ABOUT
    file_root = True  # `root` may be a file

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.files = self._files()
        self.splits = tuple(self.files)

    def _files(self) -> dict[str, Path]:
        """The file of each split, those for validation first."""
        if self.root.is_file():
            found = [self.root]
        else:
            found = sorted((self.root / "annotations").glob(f"{PREFIX}*.json"))
        if not found:
            expected = f"annotations/{PREFIX}<split>.json"
            mend = f"Pass the file itself, or the folder above annotations, by --data or {self.env}"
            raise ProblemError(self.root, expected, "nothing of that name", mend)
        names = {path.stem.removeprefix(PREFIX): path for path in found}
        return {
            name: names[name] for name in sorted(names, key=lambda name: (not name.startswith("val"), name))
        }

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The default split's category of each id, "" where none has it."""
        names = self.file(self.splits[0]).names
        return ("background", *(names.get(i, "") for i in range(1, max(names, default=0) + 1)))

    def file(self, split: str) -> CocoFile:
        """The content of a split's file. Raises UserError for an unknown split or a faulty file."""
        if split not in self.files:
            raise UserError(f"{self.name} has no split {split!r}, only {', '.join(self.files)}")
        return load(self.files[split])

    def videos(self, split: str) -> Sequence[Video]:
        """The images of a split by id, with or without annotations."""
        return [Video(i, split, (Frame(i, i, 0, self._image(split, i)),)) for i in self.file(split).images]

    def _image(self, split: str, image: str) -> Path:
        folder = self.files[split].parent
        above = folder.parent if folder.name == "annotations" else folder
        name = self.file(split).images[image].get("file_name")
        return above / split / (name if isinstance(name, str) else f"{image}.jpg")

    def read(self, frame: Frame) -> Parsing:
        """The instances of an image. Raises UserError for an annotation that cannot be scored against."""
        for split in self.files:
            file = self.file(split)
            if frame.video in file.images:
                rows = tuple(file.instances(frame.video))
                return Parsing(instances=Instances(file.size(frame.video), rows, file.names))
        raise UserError(f"{self.root}: no image {frame.video}")

    def check(self, split: str) -> list[Problem]:
        """Everything wrong with a split's file, each with how to mend it."""
        try:
            file = self.file(split)
        except ProblemError as error:
            return [error.problem]
        return coco_check.check(file, [video.frames[0].image for video in self.videos(split)])
