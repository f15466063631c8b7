"""Questions that only a person can answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volumes import SeriesInfo

__all__ = ["ask_save_path", "ask_weights", "choose_series"]


def choose_series(series: Sequence[SeriesInfo]) -> str | None:
    """Ask which series of a folder to open; None without a window or an answer."""
    from qtpy.QtWidgets import QApplication, QInputDialog

    if QApplication.instance() is None or not series:
        return None
    lines = [describe_series(number, one) for number, one in enumerate(series, 1)]
    chosen, accepted = QInputDialog.getItem(
        None, "Choose a series", "The folder holds several series. Open:", lines, 0, False
    )
    return series[lines.index(chosen)].key if accepted else None


def describe_series(number: int, series: SeriesInfo) -> str:
    """Give a series as one line of a list."""
    described = series.description or "no description"
    return f"{number}. {series.modality} · {described} · {' × '.join(map(str, series.shape))}"


def ask_save_path(parent: Any, name: str, suffixes: Sequence[str]) -> Path | None:
    """Ask where to save labels; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    filters = ";;".join(f"Labels (*{suffix})" for suffix in suffixes)
    chosen, used = QFileDialog.getSaveFileName(parent, "Save labels", name, filters)
    if not chosen:
        return None
    if chosen.endswith(tuple(suffixes)):
        return Path(chosen)
    return Path(chosen + used.split("*")[-1].rstrip(")"))


def ask_weights(parent: Any) -> Path | None:
    """Ask for a file of model weights; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    chosen, _ = QFileDialog.getOpenFileName(
        parent, "Weights of the model", "", "Weights (*.pth *.pt *.safetensors);;All files (*)"
    )
    return Path(chosen) if chosen else None
