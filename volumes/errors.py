"""Everything that can go wrong with an image file, a geometry or a box.

VolumeError
├── MissingFile (FileNotFoundError)      nothing at that path
├── UnreadableFile (OSError)             there, but the system refuses to read it
├── UnknownFormat (ValueError)           no reader knows the content, or no writer the suffix
├── UnsupportedImage (ValueError)        a sound file of a kind that is not read (CIFTI, complex, SR …)
├── BrokenFile (ValueError)              truncated, damaged or contradicting itself
├── InvalidBox (ValueError)              a box whose stop lies before its start, or outside its array
├── InvalidGeometry (ValueError)         an affine that is not finite, flat, or cannot be stored
├── InvalidLabels (ValueError)           labels that are no integers, negative, or too many for the format
├── ForeignLabels (ValueError)           labels that lie in another frame of reference, or beside the image
├── ShapeMismatch (ValueError)           two arrays, or planes, that should have one shape
├── NoDicomFound (ValueError)            a folder with neither a DICOM image nor a picture
├── UnknownSeries (ValueError)           the series asked for is not in the folder
├── MixedSeries (ValueError)             more than one series, and none was asked for
├── MissingSlices (ValueError)           gaps that are whole multiples of the plane distance
├── UnevenSpacing (ValueError)           planes at irregular distances
├── DuplicateSlices (ValueError)         several planes at one position (cine phases, echoes)
├── TiltedGantry (ValueError)            planes that shift sideways along the stack
└── UnwritableOutput (OSError)           the output cannot be written

Each message says what was wrong, the value, and what to do.
"""

from __future__ import annotations


class VolumeError(Exception):
    """Root of all errors of this package; its text is the message for the user, on one line."""

    def __str__(self) -> str:
        return " ".join(" ".join(str(argument) for argument in self.args).split())


class MissingFile(VolumeError, FileNotFoundError):
    """Nothing lies at the path."""


class UnreadableFile(VolumeError, OSError):
    """The file is there, but the operating system refuses to read it."""


class UnknownFormat(VolumeError, ValueError):
    """No reader recognises the content, or no writer the suffix."""


class UnsupportedImage(VolumeError, ValueError):
    """A sound file of a kind that this version does not take."""


class BrokenFile(VolumeError, ValueError):
    """The file is truncated, damaged or contradicts itself."""


class InvalidBox(VolumeError, ValueError):
    """A box whose stop lies before its start, or that leaves its array."""


class InvalidGeometry(VolumeError, ValueError):
    """An affine that is not finite, is flat, or cannot be stored in the format."""


class InvalidLabels(VolumeError, ValueError):
    """Labels that are no integers, are negative, or do not fit the format."""


class ForeignLabels(VolumeError, ValueError):
    """Labels that lie in another frame of reference than the image, or nowhere on it."""


class ShapeMismatch(VolumeError, ValueError):
    """Two arrays, or the planes of one volume, differ in shape."""


class NoDicomFound(VolumeError, ValueError):
    """A folder that holds neither a DICOM image nor a picture."""


class UnknownSeries(VolumeError, ValueError):
    """The series asked for is not there."""


class MixedSeries(VolumeError, ValueError):
    """A folder with more than one series, and none was asked for."""


class MissingSlices(VolumeError, ValueError):
    """Planes are missing: some gaps are whole multiples of the plane distance."""


class UnevenSpacing(VolumeError, ValueError):
    """The planes lie at irregular distances."""


class DuplicateSlices(VolumeError, ValueError):
    """Several planes lie at one position."""


class TiltedGantry(VolumeError, ValueError):
    """The planes shift sideways along the stack."""


class UnwritableOutput(VolumeError, OSError):
    """The output cannot be written at that path."""
