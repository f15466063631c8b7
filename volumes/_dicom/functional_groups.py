"""Elements of one frame: in its own functional groups, in those of all frames, or in the file itself."""

from __future__ import annotations

from dataclasses import dataclass

from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import SenselessElement, tag_name

_SHARED, _OWN = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"

# Where the functional groups of enhanced multi-frame images keep what classic images say of themselves. Of
# two groups the first is the usual one, the second that of ultrasound volumes.
GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "ImagePositionPatient": (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PlanePositionVolumeSequence", "ImagePositionVolume"),
    ),
    "ImageOrientationPatient": (
        ("PlaneOrientationSequence", "ImageOrientationPatient"),
        ("PlaneOrientationVolumeSequence", "ImageOrientationVolume"),
    ),
    "PixelSpacing": (("PixelMeasuresSequence", "PixelSpacing"),),
    "SliceThickness": (("PixelMeasuresSequence", "SliceThickness"),),
    "SpacingBetweenSlices": (("PixelMeasuresSequence", "SpacingBetweenSlices"),),
    "ImagerPixelSpacing": (("FramePixelDataPropertiesSequence", "ImagerPixelSpacing"),),
    "RescaleSlope": (("PixelValueTransformationSequence", "RescaleSlope"),),
    "RescaleIntercept": (("PixelValueTransformationSequence", "RescaleIntercept"),),
    "WindowCenter": (("FrameVOILUTSequence", "WindowCenter"),),
    "WindowWidth": (("FrameVOILUTSequence", "WindowWidth"),),
}
# How nuclear medicine counts its frames, beside the slices.
VECTORS = (
    "EnergyWindowVector",
    "DetectorVector",
    "PhaseVector",
    "RotationVector",
    "RRIntervalVector",
    "TimeSlotVector",
    "AngularViewVector",
    "TimeSliceVector",
)


@dataclass(frozen=True)
class FrameElements:
    """Where the elements of one frame are looked for: in its own ``groups``, the shared ones, the file."""

    file: Elements
    groups: tuple[Elements, ...] = ()

    @property
    def own(self) -> Elements | None:
        """The frame's own functional groups."""
        return self.groups[0] if len(self.groups) == 2 else None

    @property
    def shared(self) -> Elements | None:
        """The functional groups of all frames."""
        return self.groups[-1] if self.groups else None

    def holder(self, keyword: str) -> tuple[Elements, str]:
        """Return where an element is found, and under which keyword; the file itself where nowhere.

        Parameters
        ----------
        keyword : str
            As classic images have it.
        """
        for group in self.groups:
            for macro, inner in GROUPS[keyword]:
                item = group.item(macro)
                if item is not None and item.has(inner):
                    return item, inner
        return self.file, keyword

    def vector(self, keyword: str, n_values: int) -> tuple[float, ...] | None:
        """Return so many numbers of an element; None where it is absent.

        Raises
        ------
        SenselessElement
            If it holds something else.
        """
        holder, found = self.holder(keyword)
        return holder.vector(found, n_values)

    def number(self, keyword: str) -> float | None:
        """Return the first number of an element; None where it is absent.

        Raises
        ------
        SenselessElement
            If it holds something else.
        """
        holder, found = self.holder(keyword)
        return holder.number(found)

    def spare_number(self, keyword: str) -> float | None:
        """Return the first number of an element that can be done without; None, and a note, if it is none."""
        holder, found = self.holder(keyword)
        return holder.spare_number(found)


def frames_of(file: Elements, n_frames: int) -> tuple[FrameElements, ...]:
    """Return where to look for the elements of each frame.

    Raises
    ------
    SenselessElement
        If the file describes fewer frames than it has.
    """
    shared, own = file.items(_SHARED), file.items(_OWN)
    if own and len(own) < n_frames:
        raise SenselessElement(f"{tag_name(_OWN)} describes {len(own)} of {n_frames} frames")
    # An empty item in place of one that is absent: a frame's own groups always stand before the shared ones.
    behind = shared[:1] or (_nothing(file),) if own else shared[:1]
    return tuple(FrameElements(file, (*own[frame : frame + 1], *behind)) for frame in range(n_frames))


def counts_of(file: Elements, frame: int) -> tuple[int, ...]:
    """Return which energy window, detector, phase, rotation … a frame of a nuclear medicine image is of.

    Parameters
    ----------
    file : Elements
        The file's header.
    frame : int
        Number of the frame, from 0.
    """
    vectors = [file.numbers(keyword) for keyword in VECTORS if file.has(keyword)]
    return tuple(int(vector[frame]) for vector in vectors if frame < len(vector))


def _nothing(file: Elements) -> Elements:
    """Return a group without elements."""
    from pydicom.dataset import Dataset

    return Elements(Dataset(), file.notes)
