"""Where one direction of a propagation stands, and what is decided of its next plane."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.ending_view import Eye
from napari_sam.core.evidence import AnchorLook, Evidence
from napari_sam.core.intensity import GreyRange
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef

__all__ = ["Choice", "Front"]


@dataclass(eq=False)
class Front:
    """Where one direction of a propagation stands.

    Parameters
    ----------
    plane : PlaneRef
        The plane done last.
    step : int
        1 or -1: which way it goes.
    mask : BoxedMask
        The object in that plane.
    hint : NDArray or None, shape (h, w)
        The logits that gave the mask.
    greys : GreyRange
        The grey levels of the anchor's mask.
    anchor_px : int
        Area of the anchor's mask.
    candidate : int or None
        The candidate that a person chose in the anchor.
    look : AnchorLook
        Mean and spread of the grey levels of the anchor's mask.
    before : tuple of BoxedMask and hint, or None
        The mask and the logits of the plane before `plane`; None while that is the anchor.
    prefetched : set of int
        The planes that the segmenter was told of.
    skipped : int
        How many planes it has passed over since the object was last seen.
    most_px : int
        The largest area of the object so far, that of `mask` at least.
    evidence : Evidence or None
        What spoke for the mask; None while `plane` is the anchor.
    """

    plane: PlaneRef
    step: int
    mask: BoxedMask
    hint: NDArray[np.floating] | None
    greys: GreyRange
    anchor_px: int
    candidate: int | None
    look: AnchorLook
    before: tuple[BoxedMask, NDArray[np.floating] | None] | None = None
    prefetched: set[int] = field(default_factory=set)
    skipped: int = 0
    most_px: int = 0
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        self.most_px = max(self.most_px, self.mask.area)

    @property
    def next_plane(self) -> PlaneRef:
        """The plane that it asks for next."""
        return self.plane.neighbour(self.step)

    def before_anchor(self) -> Front:
        """Return a front that is about to ask for the anchor in which this one stands, with its mask."""
        step = 1 if self.plane.index else -1
        plane = self.plane.neighbour(-step)
        return replace(self, plane=plane, step=step, mask=self.mask.moved_to(plane), prefetched=set())

    def move(
        self,
        plane: PlaneRef,
        mask: BoxedMask,
        hint: NDArray[np.floating] | None,
        evidence: Evidence | None = None,
    ) -> None:
        """Take a plane as done."""
        self.before = (self.mask, self.hint)
        self.most_px = max(self.most_px, mask.area)
        self.plane, self.mask, self.hint, self.evidence = plane, mask, hint, evidence


@dataclass(frozen=True)
class Choice:
    """Which candidate of an answer is taken.

    Parameters
    ----------
    candidate : int
        Its index.
    reason : str
        Which single limit it breaks; "" for none.
    trust : float
        How well it is expected to agree with the object, 0 to 1; 1 from rules that do not say.
    evidence : Evidence or None
        What speaks for the mask that would be kept; None before that is known.
    eye : callable or None
        Looks at the mask that would be kept, where a model can; see `napari_sam.core.ending_view`.
    """

    candidate: int
    reason: str = ""
    trust: float = 1.0
    evidence: Evidence | None = None
    eye: Eye | None = None
