"""Training curves as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

__all__ = ["draw_curves"]

_NO_IOU = frozenset({"step", "loss", "rate"})
_NAMES = {
    "box": "one box",
    "point": "one point",
    "point_3": "three points",
    "carried": "carried to another plane",
    "score_error": "error of the predicted IoU",
}


def draw_curves(history: Sequence[Mapping[str, float]]) -> bytes:
    """Draw the loss and the held-out figures over the steps.

    Parameters
    ----------
    history : sequence of mapping
        Each with ``step``, and ``loss`` and figures as far as known.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    names = list(dict.fromkeys(name for one in history for name in one if name not in _NO_IOU))
    for axes, shown in ((left, ["loss"]), (right, names)):
        for name in shown:
            known = [(one["step"], one[name]) for one in history if math.isfinite(one.get(name, math.nan))]
            axes.plot(*zip(*known, strict=True), marker=".", label=_NAMES.get(name, name)) if known else None
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    left.set_ylabel("training loss")
    right.set_ylabel("held-out mean IoU")
    if names:
        right.legend(fontsize="small")
    content = io.BytesIO()
    canvas.print_figure(content, format="png")
    return content.getvalue()
