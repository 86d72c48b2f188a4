"""The text in pixels: an offline engine, loaded once per process, and its boxes rebuilt into rows and columns.

The engine is RapidOCR (PP-OCRv6 models inside its wheel) on ONNX Runtime. Model files are named one by one, so the
engine never looks for, verifies or downloads any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height × width × 3, blue green red."""

LEAST_SCORE = 0.4
"""Confidence below which a box is noise."""
SAME_ROW = 0.5
"""Share of the lower box's height that must overlap for two boxes to stand on one row."""
GOOD_SCORE = 0.92
"""Mean confidence above which a picture is taken to stand upright."""
MODELS = {
    "Det.model_path": "PP-OCRv6_det_small.onnx",
    "Rec.model_path": "PP-OCRv6_rec_small.onnx",
    "Cls.model_path": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}


@dataclass(frozen=True, slots=True)
class Box:
    """One piece of text and where it stands, in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float
    text: str = field(repr=False)
    score: float

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.bottom - self.top


@cache
def engine() -> object:
    """Return the engine, loading it with the first call; about two seconds and 600 MB."""
    from rapidocr import RapidOCR

    models = files("rapidocr") / "models"
    parameters: dict[str, object] = {name: str(models / file) for name, file in MODELS.items()}
    parameters |= {
        "Global.log_level": "critical",
        "Global.text_score": LEAST_SCORE,
        "Global.use_cls": False,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return RapidOCR(params=parameters)


def find_boxes(pixels: Pixels) -> list[Box]:
    """Return the pieces of text in a picture that stands upright."""
    result = engine()(pixels)  # type: ignore[operator]  # the engine has no types
    if result.txts is None or result.boxes is None:
        return []
    found: list[Box] = []
    for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
        across, down = corners[:, 0], corners[:, 1]
        found.append(
            Box(float(across.min()), float(down.min()), float(across.max()), float(down.max()), text, float(score))
        )
    return found


def read_upright(pixels: Pixels) -> list[Box]:
    """Return the pieces of text in a picture that may be turned by quarter turns: the turn that reads best wins."""
    best = find_boxes(pixels)
    if not best or not _seems_turned(best):
        return best
    upended = _upended(best)
    # The engine reads a line on end too, but then the rows are columns: an upright turn wins unless it reads far less.
    needed = _worth(best) * (0.7 if upended else 1.1)
    for turns in (1, 3) if upended else (2,):
        turned = find_boxes(np.ascontiguousarray(np.rot90(pixels, turns)))
        if _worth(turned) > needed and not _upended(turned):
            best, needed = turned, _worth(turned) * 1.1
    return best


def rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Return the boxes row by row, each row from left to right."""
    found: list[list[Box]] = []
    for box in sorted(boxes, key=lambda each: (each.top + each.bottom) / 2):
        row = next((row for row in reversed(found[-3:]) if _beside(row[-1], box)), None)
        if row is None:
            found.append([box])
        else:
            row.append(box)
    return [sorted(row, key=lambda each: each.left) for row in found]


def columns(boxes: Sequence[Box]) -> list[list[Box]]:
    """Return runs of boxes that stand close below one another with the same left edge: the lines of wrapped cells."""
    found: list[list[Box]] = []
    for box in sorted(boxes, key=lambda each: (each.top, each.left)):
        column = next((column for column in reversed(found) if _continues(column[-1], box)), None)
        if column is None:
            found.append([box])
        else:
            column.append(box)
    return found


def as_rows(boxes: Sequence[Box]) -> str:
    """Return one line of text per row, cells apart by spaces."""
    return "\n".join("  ".join(box.text for box in row) for row in rows(boxes))


def as_columns(boxes: Sequence[Box]) -> str:
    """Return one line of text per wrapped cell; empty where rows say the same."""
    if all(len(row) == 1 for row in rows(boxes)):
        return ""
    return "\n".join(" ".join(box.text for box in column) for column in columns(boxes) if len(column) > 1)


def _seems_turned(boxes: Sequence[Box]) -> bool:
    """Tell whether most pieces stand on end, or little was read with confidence."""
    return _upended(boxes) or sum(box.score for box in boxes) / len(boxes) < GOOD_SCORE


def _upended(boxes: Sequence[Box]) -> bool:
    """Tell whether most pieces of several characters are higher than wide."""
    words = [box for box in boxes if len(box.text) > 1]
    return 2 * sum(box.height > 1.5 * (box.right - box.left) for box in words) > len(words)


def _worth(boxes: Sequence[Box]) -> float:
    """Return how much was read: confident characters count, guesses hardly."""
    return sum(len(box.text) * box.score**4 for box in boxes)


def _beside(left: Box, right: Box) -> bool:
    overlap = min(left.bottom, right.bottom) - max(left.top, right.top)
    return overlap >= SAME_ROW * min(left.height, right.height)


def _continues(above: Box, below: Box) -> bool:
    gap = below.top - above.bottom
    height = min(above.height, below.height)
    return -0.5 * height <= gap <= 0.9 * height and abs(above.left - below.left) <= height
