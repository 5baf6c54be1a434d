"""A small data set in COCO's format, and results for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vipbench import rle

SIZE = (12, 16)
Row = dict[str, Any]


def polygon(x: float, y: float, w: float, h: float) -> list[list[float]]:
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def mask(x: float, y: float, w: float, h: float, size: tuple[int, int] = SIZE) -> Row:
    return {"size": list(size), "counts": rle.encode(polygon(x, y, w, h), size)}


def data() -> Row:
    """Image 9 with a cat and a crowd of dogs (run lengths), image 10 with a cat, image 2 with nothing."""
    images = [{"id": i, "height": 12, "width": 16, "file_name": f"{i:012d}.jpg"} for i in (10, 9, 2)]
    crowd = {"size": list(SIZE), "counts": [96, 48, 48]}  # 4 columns of 12 pixels
    annotations = [
        {"id": 5, "image_id": 9, "category_id": 1, "segmentation": polygon(1, 1, 4, 4), "area": 16},
        {"id": 6, "image_id": 9, "category_id": 3, "segmentation": crowd, "area": 48, "iscrowd": 1},
        {"id": 7, "image_id": 10, "category_id": 1, "segmentation": polygon(2, 2, 6, 6), "area": 36},
    ]
    boxes = ([1, 1, 4, 4], [8, 0, 4, 12], [2, 2, 6, 6])
    rows = [
        row | {"iscrowd": row.get("iscrowd", 0), "bbox": box}
        for row, box in zip(annotations, boxes, strict=True)
    ]
    categories = [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}]
    return {"images": images, "annotations": rows, "categories": categories}


def results() -> list[Row]:
    """The cat of image 9, half of the cat of image 10."""
    return [
        {"image_id": 9, "category_id": 1, "score": 0.9, "segmentation": mask(1, 1, 4, 4)},
        {"image_id": 10, "category_id": 1, "score": 0.8, "segmentation": mask(2, 2, 6, 3)},
    ]


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path
