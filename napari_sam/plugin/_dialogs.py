"""Questions that only a person can answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volumes import SeriesInfo

__all__ = [
    "ask_classes",
    "ask_colour",
    "ask_folder",
    "ask_image",
    "ask_labels",
    "ask_name",
    "ask_save_path",
    "ask_session",
    "ask_table",
    "ask_weights",
    "ask_yes",
    "choose_series",
]


def choose_series(series: Sequence[SeriesInfo]) -> tuple[SeriesInfo, ...] | None:
    """Ask which volumes of a file or folder to open; none where the person cancels, None without a window."""
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None or not series:
        return None
    from napari_sam.plugin._series_dialog import SeriesDialog

    dialog = SeriesDialog(series)
    return dialog.chosen if dialog.exec() else ()


def ask_yes(title: str, question: str) -> bool:
    """Ask for permission; no without a window, and no where the person does not choose."""
    from qtpy.QtWidgets import QApplication, QMessageBox

    if QApplication.instance() is None:
        return False
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return bool(QMessageBox.question(None, title, question, yes | no, no) == yes)


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


def ask_image(parent: Any) -> Path | None:
    """Ask for a file to open; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    chosen, _ = QFileDialog.getOpenFileName(parent, "Open an image or a volume", "", "All files (*)")
    return Path(chosen) if chosen else None


def ask_folder(parent: Any) -> Path | None:
    """Ask for a folder to open; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    chosen = QFileDialog.getExistingDirectory(parent, "Open a folder of DICOM files or pictures")
    return Path(chosen) if chosen else None


def ask_labels(parent: Any) -> Path | None:
    """Ask for a file of labels; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    chosen, _ = QFileDialog.getOpenFileName(parent, "Labels that belong to the image", "", "All files (*)")
    return Path(chosen) if chosen else None


def ask_classes(parent: Any, *, to_save: bool) -> Path | None:
    """Ask for a file of classes, to read or to write; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    kinds = "Classes (*.json)"
    if to_save:
        chosen, _ = QFileDialog.getSaveFileName(parent, "Save classes", "classes.json", kinds)
        return Path(chosen if chosen.endswith(".json") else f"{chosen}.json") if chosen else None
    chosen, _ = QFileDialog.getOpenFileName(parent, "Classes", "", f"{kinds};;All files (*)")
    return Path(chosen) if chosen else None


def ask_colour(parent: Any, colour: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Ask for a colour, (red, green, blue) from 0 to 255; None where the person changes their mind."""
    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QColorDialog

    chosen = QColorDialog.getColor(QColor(*colour), parent, "Colour")
    return (chosen.red(), chosen.green(), chosen.blue()) if chosen.isValid() else None


def ask_name(parent: Any, title: str, question: str) -> str:
    """Ask for a name; "" where the person changes their mind."""
    from qtpy.QtWidgets import QInputDialog

    name, is_given = QInputDialog.getText(parent, title, question)
    return name.strip() if is_given else ""


def ask_table(parent: Any) -> Path | None:
    """Ask where to save a table of measurements; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    chosen, used = QFileDialog.getSaveFileName(
        parent, "Save measurements", "measurements.csv", "Table (*.csv);;JSON (*.json)"
    )
    if not chosen:
        return None
    return Path(chosen if chosen.endswith((".csv", ".json")) else chosen + used.split("*")[-1].rstrip(")"))


def ask_session(parent: Any, *, to_save: bool) -> Path | None:
    """Ask for the folder of a session, to write or to read; None where the person changes their mind."""
    from qtpy.QtWidgets import QFileDialog

    if not to_save:
        chosen = QFileDialog.getExistingDirectory(parent, "Open a session (a .samsession folder)")
        return Path(chosen) if chosen else None
    kinds = "Session (*.samsession)"
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save session", "case.samsession", kinds)
    return Path(chosen if chosen.endswith(".samsession") else f"{chosen}.samsession") if chosen else None
