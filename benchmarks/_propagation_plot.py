"""The outcomes of `benchmarks.propagation` as one picture: Dice by distance from the anchor, and by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from benchmarks._propagation_table import OURS, Outcome, by_method
from benchmarks._shown import SHOWN
from napari_sam.nodes.volume_scores import dice_by_distance, distance_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_IN, _ROW_IN, _DPI = 14.0, 5.2, 110
_COLOURS = ("#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#994f00", "#222255", "#ddaa99", "#777777")
_OWN_COLOUR = "#4477aa"
_MARKERS = ("o", "^", "s")
_LINES = ("-", "--", ":")

Look: TypeAlias = tuple[str, float, str, str]
"""Colour, width, kind of line and marker of a method: the same in all panels."""


def write_plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw a row for each way of showing, two panels each, and write it as the ending of the path says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ways = [way for way in SHOWN if any(one.shown == way for one in outcomes)]
    looks = {method: _look(method, number) for number, method in enumerate(by_method(outcomes))}
    figure = Figure(figsize=(_WIDTH_IN, _ROW_IN * len(ways)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    for (distances, kinds), way in zip(figure.subplots(len(ways), 2, squeeze=False), ways, strict=True):
        some = [one for one in outcomes if one.shown == way]
        _draw_distances(distances, some, SHOWN[way], looks)
        _draw_kinds(kinds, some, SHOWN[way], looks)
    figure.savefig(path)


def _draw_distances(axes: Axes, outcomes: Sequence[Outcome], title: str, looks: Mapping[str, Look]) -> None:
    names = distance_names()
    axes.set(
        title=f"From {title}", xlabel="planes from the middle anchor", ylabel="mean Dice",
        ylim=(0, 1.02), xlim=(-0.3, len(names) - 0.7),
    )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    for method, own in by_method(outcomes).items():
        dices = [np.nan if one is None else one for one in dice_by_distance([one.score for one in own])]
        colour, width, line, marker = looks[method]
        axes.plot(
            range(len(names)),
            dices,
            line,
            color=colour,
            linewidth=width,
            marker=marker,
            markersize=3,
            zorder=9 if method == OURS else 2,
        )
    axes.grid(alpha=0.3)


def _draw_kinds(axes: Axes, outcomes: Sequence[Outcome], title: str, looks: Mapping[str, Look]) -> None:
    """Draw one row of dots a kind: a dot a method, ours large."""
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    axes.set(
        title=f"By kind, from {title}", xlabel="mean Dice", xlim=(0, 1.02), ylim=(len(kinds) - 0.5, -0.5)
    )
    axes.set_yticks(range(len(kinds)), kinds)
    methods = by_method(outcomes)
    for number, (method, own) in enumerate(methods.items()):
        dices = [
            float(np.mean([one.score.dice for one in own if one.kind == kind] or [np.nan])) for kind in kinds
        ]
        colour, width, line, marker = looks[method]
        step = 0.7 * (number / max(1, len(methods) - 1) - 0.5)
        places = np.arange(len(kinds)) + step
        size = 9 if method == OURS else 5
        axes.plot(dices, places, marker, color=colour, markersize=size, linestyle="")
        axes.plot([], [], line, color=colour, linewidth=width, marker=marker, markersize=4, label=method)
    for place in np.arange(len(kinds) - 1) + 0.5:
        axes.axhline(place, color="#cccccc", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _look(method: str, number: int) -> Look:
    """Return colour, width, kind of line and marker: ours stands out, the others share nine colours."""
    if method == OURS:
        return _OWN_COLOUR, 3.2, "-", "D"
    turn = (number - 1) // len(_COLOURS) % len(_LINES)
    return _COLOURS[(number - 1) % len(_COLOURS)], 1.3, _LINES[turn], _MARKERS[turn]
