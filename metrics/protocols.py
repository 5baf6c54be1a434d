"""Named sets of measures: what a paper's or a benchmark's numbers are.

davis2016, davis2017-semi: the DAVIS challenges. vip-paper: the released evaluation of ATEN, duplicates
counted, absent classes as 0, IoU strictly above the threshold. vip-strict: each ground truth found once,
absent classes left out, IoU at or above the threshold.
"""

from __future__ import annotations

from vipbench.errors import UserError
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.boundary import F
from vipbench.metrics.measure import Measure
from vipbench.metrics.miou import MeanIoU
from vipbench.metrics.region import J

PROTOCOLS: dict[str, tuple[Measure, ...]] = {
    "davis2016": (J(), F()),
    "davis2017-semi": (J(objects="first-frame"), F(objects="first-frame")),
    "vip-paper": (MeanIoU(), APr(), APrVol()),
    "vip-strict": (
        MeanIoU(),
        APr(matching="once", compare=">=", absent="skip"),
        APrVol(matching="once", compare=">=", absent="skip"),
    ),
}


def unscored(protocol: str, length: int) -> set[int]:
    """The positions, among `length` annotated frames of a video, that no measure of the protocol looks at.

    Raises UserError for an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"unknown protocol {protocol!r}. Known: {', '.join(PROTOCOLS)}")
    scored = {position for measure in PROTOCOLS[protocol] for position in measure.scored(length)}
    return set(range(length)) - scored
