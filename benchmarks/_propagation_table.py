"""The tables of `benchmarks.propagation`, as text and between the marks of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._correcting import WANTED_DICE, Work
from benchmarks._shown import SHOWN
from napari_sam.core.scores import SurfaceDistance
from napari_sam.nodes.tables import Cell, format_table
from napari_sam.nodes.volume_scores import VolumeScore, dice_by_distance, distance_names

MARKS = ("<!-- {}: start -->", "<!-- {}: end -->")
"""Between these lines of a page the tables of that name are written anew."""

OURS = "ours"
NEIGHBOUR = "neighbour overlap"
FILM = "photos and film"


@dataclass(frozen=True)
class Outcome:
    """One object by one method.

    Attributes
    ----------
    method, shown, kind, id : str
        What was asked, from what, and of which object.
    score : VolumeScore
        Overlap, ends, agreement by distance.
    surface : SurfaceDistance or None
        In mm; None in film, which has none.
    n_to_correct : int
        Planes that a person would correct.
    seconds : float
        For the object, prompts included.
    """

    method: str
    shown: str
    kind: str
    id: str
    score: VolumeScore
    surface: SurfaceDistance | None
    n_to_correct: int
    seconds: float

    @property
    def ends_right(self) -> float:
        """Share of the object's two ends that were found within one plane."""
        off = [many + few for many, few in zip(self.score.too_many, self.score.too_few, strict=True)]
        return float(np.mean([one <= 1 for one in off]))


@dataclass(frozen=True)
class Corrected:
    """The work on one object, with propagation and plane by plane."""

    kind: str
    id: str
    n_planes: int
    propagated: Work
    by_plane: Work


def sections(outcomes: Sequence[Outcome], corrected: Sequence[Corrected]) -> str:
    """Lay out everything as Markdown: a section for each way of showing, the person's work, the bars."""
    parts = []
    for way, title in SHOWN.items():
        some = [one for one in outcomes if one.shown == way]
        if some:
            parts += [f"## {title[0].upper()}{title[1:]}", _markdown(overlap_table(some))]
            parts += [_markdown(work_table(some)), _markdown(distance_table(some))]
    if corrected:
        parts += [f"## A person who corrects until Dice {WANTED_DICE}", _markdown(corrected_table(corrected))]
    bars = bar_table(outcomes, corrected)
    if bars[1]:
        parts += ["## Beside what is asked", _markdown(bars)]
    return "\n\n".join(parts)


def parted_at_marks(page: Path, name: str) -> tuple[str, str, str]:
    """Part a page at the marks of that name, before anything is measured for it.

    Returns
    -------
    tuple of str
        All up to the first mark, what is between, and all from the last mark on.

    Raises
    ------
    OSError
        A page that cannot be read.
    ValueError
        A page without the marks.
    """
    first, last = (mark.format(name) for mark in MARKS)
    before, start, rest = page.read_text(encoding="utf-8").partition(first)
    between, end, after = rest.partition(last)
    if not (start and end):
        raise ValueError(f"{page} has no lines {first} and {last}; put them where the tables belong")
    return before + start, between, end + after


def write_between_marks(page: Path, name: str, text: str) -> None:
    """Put text between the marks of that name in a page, in place of what is there.

    Raises
    ------
    OSError
        A page that cannot be read or written.
    ValueError
        A page without the marks.
    """
    before, _, after = parted_at_marks(page, name)
    page.write_text(f"{before}\n\n{text}\n\n{after}", encoding="utf-8")


def overlap_table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    """Mean Dice of each method, over all objects and by kind."""
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    rows: list[list[Cell]] = []
    for name, own in by_method(outcomes).items():
        dices = [one.score.dice for one in own]
        by_kind = [_mean([one.score.dice for one in own if one.kind == kind]) for kind in kinds]
        rows.append([name, _mean(dices), float(np.median(dices)), *by_kind])
    return ["rule", "Dice", "median", *kinds], rows


def work_table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    """Surfaces, ends, planes to correct and seconds of each method."""
    heads = ["rule", "surface, mm", "95 %, mm", "ends within 1", "both ends", "too many", "too few"]
    rows: list[list[Cell]] = []
    for name, own in by_method(outcomes).items():
        surfaces = [one.surface for one in own if one.surface is not None]
        rows.append([
            name,
            float(np.median([one.mean_mm for one in surfaces])) if surfaces else None,
            float(np.median([one.p95_mm for one in surfaces])) if surfaces else None,
            _mean([one.ends_right for one in own]),
            _mean([one.ends_right == 1.0 for one in own]),
            _mean([sum(one.score.too_many) for one in own]),
            _mean([sum(one.score.too_few) for one in own]),
            _mean([one.n_to_correct for one in own]),
            _mean([one.n_to_correct / one.score.n_planes for one in own]),
            _mean([one.seconds for one in own]),
        ])  # fmt: skip
    return [*heads, "planes to correct", "of the object's", "s an object"], rows


def distance_table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    """Mean Dice of each method by the distance from the middle anchor, in planes."""
    rows: list[list[Cell]] = [
        [name, *dice_by_distance([one.score for one in own])] for name, own in by_method(outcomes).items()
    ]
    return ["Dice, planes from the middle anchor", *distance_names()], rows


def corrected_table(corrected: Sequence[Corrected]) -> tuple[list[str], list[list[Cell]]]:
    """Say what was done by hand a kind and over all: means over objects; the ratio is of the sums."""
    heads = ["kind", "objects", "planes", "by hand", "boxes", "clicks", "painted", "rounds", "Dice"]
    heads += ["plane by plane", "boxes", "clicks", "painted", "ratio"]
    kinds = list(dict.fromkeys(one.kind for one in corrected))
    rows: list[list[Cell]] = []
    for kind in [*kinds, "all"]:
        own = [one for one in corrected if kind in ("all", one.kind)]
        with_it, without = [one.propagated for one in own], [one.by_plane for one in own]
        rows.append([
            kind,
            len(own),
            _mean([one.n_planes for one in own]),
            *_means_done(with_it),
            _mean([one.n_rounds for one in with_it]),
            _mean([one.dice for one in with_it]),
            *_means_done(without),
            ratio_of_work(own),
        ])  # fmt: skip
    return heads, rows


def _means_done(works: Sequence[Work]) -> list[float]:
    return [_mean([getattr(one, name) for one in works]) for name in _DONE]


_DONE = ("n_actions", "n_boxes", "n_clicks", "n_painted")


def ratio_of_work(corrected: Sequence[Corrected]) -> float:
    """Everything done by hand with propagation, over everything done plane by plane."""
    return sum(one.propagated.n_actions for one in corrected) / max(
        1, sum(one.by_plane.n_actions for one in corrected)
    )


def bar_table(
    outcomes: Sequence[Outcome], corrected: Sequence[Corrected]
) -> tuple[list[str], list[list[Cell]]]:
    """Say what is asked of our rules, what they give, and whether that is enough."""
    rows: list[list[Cell]] = []
    box = by_method([one for one in outcomes if one.shown == "box"])
    if OURS in box:
        rows += _box_bars(box)
    three = by_method([one for one in outcomes if one.shown == "three"])
    if OURS in three:
        dice = _mean([one.score.dice for one in three[OURS]])
        rows.append(["three boxes: Dice", "at least 0.92", dice, _held(dice >= 0.92)])
    if corrected:
        ratio = ratio_of_work(corrected)
        rows.append(["work by hand beside plane by plane", "at most 0.5", ratio, _held(ratio <= 0.5)])
    return ["what", "asked", "is", "held"], rows


def by_method(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Sort outcomes by method, in the order in which they came."""
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.method, []).append(one)
    return found


def _box_bars(box: dict[str, list[Outcome]]) -> list[list[Cell]]:
    dices = {name: _mean([one.score.dice for one in own]) for name, own in box.items()}
    own = dices[OURS]
    rows: list[list[Cell]] = [["one box: Dice", "at least 0.85", own, _held(own >= 0.85)]]
    peers = [dice for name, dice in dices.items() if name.startswith((NEIGHBOUR, "micro-sam"))]
    if peers:
        rows.append(
            ["above micro-sam's rule", "at least 0.10", own - max(peers), _held(own - max(peers) >= 0.1)]
        )
    others = [dice for name, dice in dices.items() if name != OURS]
    if others:
        rows.append(["above every other rule", "above 0", own - max(others), _held(own > max(others))])
    at = dice_by_distance([one.score for one in box[OURS]])
    near, far = at[1], at[3]
    if near is not None and far is not None:
        rows.append(
            ["Dice lost from 1-2 to 6-10 planes", "at most 0.05", near - far, _held(near - far <= 0.05)]
        )
    both = _mean([one.ends_right == 1.0 for one in box[OURS]])
    return [*rows, ["both ends right within 1 plane", "at least 0.80", both, _held(both >= 0.8)]]


def _markdown(table: tuple[list[str], list[list[Cell]]]) -> str:
    return format_table(*table, markdown=True)


def _held(holds: bool) -> str:
    return "yes" if holds else "no"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
