"""An evaluation as one picture: clicks, boxes, scores, and volumes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.nodes.evaluation import COUNTED_CLICKS, MEAN, Evaluation, MethodResult
from napari_sam.nodes.evaluation_report import planes_by_kind, volumes_by_kind
from napari_sam.nodes.volume_scores import distance_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_evaluation"]

_WIDTH_IN, _HEIGHT_IN, _DPI = 14.5, 9.5, 110
_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#994f00",
    "#777777",
    "#222255",
    "#ddaa99",
)
_MARKERS = "osD^vP"


def plot_evaluation(found: Evaluation) -> bytes:
    """Draw an evaluation.

    Four panels: the model's mean IoU after each click, by kind; each method's mean IoU after one box, by
    kind; predicted score against true IoU of every answer; Dice by distance from the prompted plane.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    model = found.methods[0]
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    figure.suptitle(f"{model.title}: {len(model.planes)} objects in planes, {len(model.volumes)} in volumes")
    panels = figure.subplots(2, 2)
    _draw_clicks(panels[0, 0], model, found.max_clicks)
    _draw_boxes(panels[0, 1], found)
    _draw_scores(panels[1, 0], model)
    _draw_distances(panels[1, 1], model)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_clicks(axes: Axes, model: MethodResult, max_clicks: int) -> None:
    axes.set(title="Mean IoU after each click", xlabel="clicks", ylabel="mean IoU", ylim=(0, 1))
    clicks = range(1, max_clicks + 1)
    axes.set_xticks([n for n in clicks if n in COUNTED_CLICKS or n % 5 == 0])
    for number, kind in enumerate(_kinds(model)):
        some = [one for one in model.planes if one.kind == kind and one.clicks]
        if some:
            means = [float(np.mean([one.iou_after(n) for one in some])) for n in clicks]
            axes.plot(clicks, means, label=kind, **_style(number))
    _finish(axes)


def _draw_boxes(axes: Axes, found: Evaluation) -> None:
    """Draw horizontal bars: a group a kind, a bar a method that takes a box."""
    axes.set(title="Mean IoU after one box", xlabel="mean IoU", xlim=(0, 1))
    shown = {}
    for method in found.methods:
        rows = planes_by_kind(method, found.max_clicks)
        if rows[MEAN]["iou_box"] is not None:
            shown[method.title] = {kind: row["iou_box"] for kind, row in rows.items()}
    if not shown:
        return
    kinds = list(next(iter(shown.values())))
    height = 0.8 / len(shown)
    for number, (title, values) in enumerate(shown.items()):
        places = np.arange(len(kinds)) + height * (number - (len(shown) - 1) / 2)
        widths = [values[kind] or 0.0 for kind in kinds]
        bars = axes.barh(places, widths, height, label=title, color=_COLOURS[number % len(_COLOURS)])
        if len(shown) <= 2:
            axes.bar_label(bars, [f"{width:.2f}" for width in widths], padding=2, fontsize=8)
    axes.set_yticks(np.arange(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    if len(shown) > 1:
        axes.legend(fontsize=8, loc="lower right")


def _draw_scores(axes: Axes, model: MethodResult) -> None:
    axes.set(
        title="Predicted score and true IoU, every answer", xlabel="predicted score", ylabel="true IoU",
        xlim=(0, 1), ylim=(0, 1), aspect="equal",
    )  # fmt: skip
    axes.plot((0, 1), (0, 1), color="black", linewidth=0.8)
    if not model.predicts_score:
        return
    for number, kind in enumerate(_kinds(model)):
        some = [one for one in model.planes if one.kind == kind]
        answers = [a for one in some for a in ([] if one.box is None else [one.box]) + list(one.clicks)]
        colour = _COLOURS[number % len(_COLOURS)]
        axes.scatter(
            [a.score for a in answers], [a.iou for a in answers], s=6, alpha=0.4, color=colour, linewidths=0
        )
    axes.grid(alpha=0.3)


def _draw_distances(axes: Axes, model: MethodResult) -> None:
    names = distance_names()
    axes.set(
        title="Dice by distance from the prompted plane", xlabel="planes away", ylabel="mean Dice",
        ylim=(0, 1), xlim=(-0.3, len(names) - 0.7),
    )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    if not model.volumes:
        axes.text(0.5, 0.5, "no volumes", ha="center", va="center", transform=axes.transAxes)
        return
    rows = volumes_by_kind(model)
    for kind in dict.fromkeys(one.kind for one in model.volumes):
        values = [rows[kind][f"dice_at_{band}"] for band in range(len(names))]
        dices = [np.nan if value is None else float(value) for value in values]
        axes.plot(range(len(names)), dices, label=kind, **_style(_kinds(model).index(kind)))
    _finish(axes)


def _kinds(model: MethodResult) -> list[str]:
    """List the kinds of a method's objects, so that each has one colour in all panels."""
    return list(dict.fromkeys([*(one.kind for one in model.planes), *(one.kind for one in model.volumes)]))


def _style(number: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "marker": _MARKERS[number // len(_COLOURS) % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.5,
    }


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
