"""Named sets of measures: what a paper's or a benchmark's numbers are.

davis2016, davis2017-semi, davis2017-unsup: the DAVIS challenges; with -compat, the last two with the quirks
of davis2017-evaluation (davis2017.py). vip-paper: the released evaluation of ATEN, duplicates counted,
absent classes as 0, IoU strictly above the threshold. vip-strict: each ground truth found once, absent
classes left out, IoU at or above the threshold. vip-paper-compat: all that the released evaluation prints,
as it does: NaN of classes that are only predicted, ground truth of frames without a prediction left out.
cihp: persons parsed in single images; its AP^r is APr_vol. coco-segm: COCO's masks and boxes. vip-coco:
persons of a label map by COCO's rules.
"""

from __future__ import annotations

from vipbench.errors import UserError
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


def unscored(protocol: str, length: int) -> set[int]:
    """The positions, among `length` annotated frames of a video, that no measure of the protocol looks at.

    Raises UserError for an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"unknown protocol {protocol!r}. Known: {', '.join(PROTOCOLS)}")
    scored = {position for measure in PROTOCOLS[protocol] for position in measure.scored(length)}
    return set(range(length)) - scored
