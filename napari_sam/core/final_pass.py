"""The last pass over a propagated object, in three dimensions: holes, islands, outline, by sizes in mm."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.core.clean_steps import CleanStep, clean_object
from napari_sam.core.edits import Edit
from napari_sam.core.session import Session

__all__ = ["FinalPass", "finish_object"]


@dataclass(frozen=True)
class FinalPass:
    """What is tidied up after a propagation; None leaves a thing as it is.

    Parameters
    ----------
    holes_mm3 : float, optional
        Enclosed holes up to this size are filled.
    islands_mm3 : float, optional
        Pieces smaller than this are dropped.
    smooth_mm : float, optional
        The outline is rounded off by a Gaussian of this width.

    Raises
    ------
    InvalidEdit
        When it is done: a size that is not above 0.
    """

    holes_mm3: float | None = None
    islands_mm3: float | None = None
    smooth_mm: float | None = None

    @property
    def steps(self) -> tuple[CleanStep, ...]:
        """The steps, in the order in which they are done."""
        sizes = (("fill holes", self.holes_mm3), ("islands", self.islands_mm3), ("smooth", self.smooth_mm))
        return tuple(CleanStep(kind, size) for kind, size in sizes if size is not None)


def finish_object(session: Session, object_id: int, settings: FinalPass) -> Edit | None:
    """Tidy an object up as one step to undo, of its own; anchors of every axis keep what they hold.

    Parameters
    ----------
    session : Session
        Changes.
    object_id : int
        The object.
    settings : FinalPass
        What is done.

    Returns
    -------
    Edit or None
        None where nothing is asked for, or the object has no voxel.

    Raises
    ------
    InvalidPrompt
        No such object, or a locked one.
    InvalidEdit
        A size that is not above 0.
    """
    return clean_object(session, object_id, settings.steps) if settings.steps else None
