"""Taking other labels into the session as objects: those of a file, and those found without prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.errors import SamError
from napari_sam.plugin._cases import Case
from napari_sam.plugin._stage import Stage
from volumes import Segment

__all__ = ["adopt"]


def adopt(
    stage: Stage,
    case: Case,
    labels: NDArray[Any],
    known: Mapping[int, Segment],
    found_across: int | None = None,
) -> tuple[dict[int, int], list[Edit]] | None:
    """Take labels in as objects, one step to undo; the next prompt starts another object.

    Parameters
    ----------
    stage : Stage
        Told of what goes wrong.
    case : Case
        The image under work.
    labels : NDArray of integers, shape (P, R, C)
        0 for background.
    known : mapping of int to Segment
        What is known of the values.
    found_across : int, optional
        As in `Session.adopt`.

    Returns
    -------
    tuple or None
        The object's id for each value that found a place, and the edits; None where it went wrong.
    """
    edits: list[Edit] = []
    case.session.on_edit.append(edits.append)
    try:
        ids = case.session.adopt(labels, known, found_across=found_across)
    except SamError as error:
        stage.fail(error)
        return None
    finally:
        case.session.on_edit.remove(edits.append)
    case.current_id = case.session.current_id
    return ids, edits
