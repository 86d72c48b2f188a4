"""Surveys of single texts, with every shape of number allowed."""

import numpy as np

from matchers.canonical import fold
from matchers.conjunctions import MARKED
from matchers.scanners import numbers
from matchers.survey import Shapes, Survey, Surveyor


def everything() -> Shapes:
    """Return shapes under which any number may be enrolled, and public figures are."""
    number = np.ones((numbers.MOST_LETTERS + 1, numbers.MOST_DIGITS + 1), np.bool_)
    return Shapes(number, np.ones(15, np.bool_), MARKED)


SURVEYOR = Surveyor(everything(), window=400)


def survey(text: str) -> Survey:
    """Return what may stand in a text."""
    return SURVEYOR.survey(fold(text))


def values(text: str, field: str) -> set[str]:
    """Return the canonical values of one field that may stand in a text."""
    seen = survey(text).seen[field]
    return {seen.text(index) for index in range(len(seen))}
