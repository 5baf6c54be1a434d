"""Named sets of measures: what a paper's or a benchmark's numbers are.

`protocols.toml` says of each, in words, which frames, objects and pixels count, how they are matched and
averaged, and what is done where a number is undefined or tied (`vipbench protocols` prints it). Where a
reference has a bug the plain name gives the right value, and a name with -compat the reference's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Literal

from vipbench.metrics.accuracy import FrequencyWeightedIoU, MeanAccuracy, PixelAccuracy
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.boundary import F
from vipbench.metrics.boxes import APb
from vipbench.metrics.coco import COCO, COCOHuman
from vipbench.metrics.davis2017 import FCompat, FUnsupCompat, JCompat, JFCompat, JFUnsupCompat, JUnsupCompat
from vipbench.metrics.jf import JF
from vipbench.metrics.measure import Measure
from vipbench.metrics.miou import MeanIoU
from vipbench.metrics.person import PCP, APp
from vipbench.metrics.proposals import FUnsup, JFUnsup, JUnsup
from vipbench.metrics.region import J

PROTOCOLS: dict[str, tuple[Measure, ...]] = {
    "davis2016": (J(), F(), JF()),
    "davis2017-semi": (J(objects="first-frame"), F(objects="first-frame"), JF(objects="first-frame")),
    "davis2017-semi-compat": tuple(m(objects="first-frame") for m in (JCompat, FCompat, JFCompat)),
    "davis2017-unsup": (JUnsup(), FUnsup(), JFUnsup()),
    "davis2017-unsup-compat": (JUnsupCompat(), FUnsupCompat(), JFUnsupCompat()),
    "vip-paper": (MeanIoU(), APr(), APrVol()),
    "vip-strict": (
        MeanIoU(),
        APr(matching="once", compare=">=", absent="skip"),
        APrVol(matching="once", compare=">=", absent="skip"),
    ),
    "vip-paper-compat": (
        *(m(frames="submitted") for m in (MeanIoU, PixelAccuracy, MeanAccuracy, FrequencyWeightedIoU)),
        *(m(absent="nan", frames="submitted") for m in (APr, APrVol, APb)),
    ),
    "cihp": (MeanIoU(), PixelAccuracy(), MeanAccuracy(), APrVol(), APp(), PCP()),
    "coco-segm": (COCO(), COCO(kind="bbox")),
    "vip-coco": (COCOHuman(),),
}


Void = Literal["object", "background", "left out"]
VOID: dict[str, Void] = {
    "davis2017-semi": "background",
    "davis2017-semi-compat": "background",
    "davis2017-unsup": "left out",
    "davis2017-unsup-compat": "left out",
}
"""What 255 means in a ground truth of objects, where it is no object: Davis.read and the Scorer see to it."""


def unscored(measures: Iterable[Measure], length: int) -> set[int]:
    """The positions, among `length` annotated frames of a video, that none of the measures looks at."""
    return set(range(length)) - {position for measure in measures for position in measure.scored(length)}


def described() -> dict[str, dict[str, str]]:
    """What each protocol is, in words, by field: about, frames, objects, void, matching, and so on."""
    text = files("vipbench.metrics").joinpath("protocols.toml").read_text("utf-8")
    found: dict[str, dict[str, str]] = tomllib.loads(text)
    return found
