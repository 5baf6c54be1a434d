"""vipbench: train, run, score and compare video human parsing and video object segmentation."""

from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Method, Parsing, Segment, SegmentMap, Video
from vipbench.version import __version__

__all__ = [
    "Dataset",
    "Frame",
    "Method",
    "Parsing",
    "Segment",
    "SegmentMap",
    "UserError",
    "Video",
    "__version__",
]
