"""Every error that `napari_sam` raises on purpose.

::

    SamError
    ├── InvalidPrompt       (ValueError)         a point, box, mask or object id that cannot be used
    ├── InvalidEdit         (ValueError)         a change of labels that does not fit the labels
    ├── InvalidClass        (ValueError)         a class of objects, or a list of them, that cannot be used
    ├── InvalidWindow       (ValueError)         an intensity window that cannot be used
    ├── InvalidDataset      (ValueError)         a folder of images with masks that cannot be used
    ├── InvalidRunLengths   (ValueError)         run lengths that make no mask
    ├── UnknownModel        (KeyError)           no model of that name is registered
    ├── UnknownSample       (KeyError)           no sample of that name ships with the package
    ├── WeightsError        (ValueError)         weights that do not belong to the model, or are damaged
    ├── MissingWeights      (FileNotFoundError)  weights that are not on this machine
    ├── DownloadFailed      (ConnectionError)    a file that could not be had from where it is published
    ├── DeviceUnavailable   (ValueError)         a device that this machine or this torch does not have
    ├── UnsupportedPrompt   (ValueError)         a kind of prompt that the model cannot use
    ├── SettingsError       (ValueError)         a setting with an unusable value
    ├── StoreError          (OSError)            a cache or session folder that cannot be read or written
    └── Cancelled                                the caller asked to stop

A message says what was wrong, the value, and what to do. Reading and writing of images raises
`volumes.VolumeError`, the other root.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "DeviceUnavailable",
    "DownloadFailed",
    "InvalidClass",
    "InvalidDataset",
    "InvalidEdit",
    "InvalidPrompt",
    "InvalidRunLengths",
    "InvalidWindow",
    "MissingWeights",
    "SamError",
    "SettingsError",
    "StoreError",
    "UnknownModel",
    "UnknownSample",
    "UnsupportedPrompt",
    "WeightsError",
]


class SamError(Exception):
    """Root of the errors that `napari_sam` raises on purpose."""


class InvalidPrompt(SamError, ValueError):
    """A point, box, mask or object id that cannot be used."""


class InvalidEdit(SamError, ValueError):
    """A change of labels that does not fit the labels."""


class InvalidClass(SamError, ValueError):
    """A class of objects, or a list of classes, that cannot be used."""


class InvalidWindow(SamError, ValueError):
    """An intensity window that cannot be used."""


class InvalidDataset(SamError, ValueError):
    """A folder of images with masks that cannot be used."""


class InvalidRunLengths(SamError, ValueError):
    """Run lengths that make no mask."""


class UnknownModel(SamError, KeyError):
    """No model of that name is registered."""

    def __str__(self) -> str:
        """Give the message plainly; `KeyError` alone would put it in quotes."""
        return str(self.args[0]) if self.args else ""


class UnknownSample(SamError, KeyError):
    """No sample of that name ships with the package."""

    def __str__(self) -> str:
        """Give the message plainly; `KeyError` alone would put it in quotes."""
        return str(self.args[0]) if self.args else ""


class WeightsError(SamError, ValueError):
    """Weights that do not belong to the model, or are damaged."""


class MissingWeights(SamError, FileNotFoundError):
    """Weights that are not on this machine."""


class DownloadFailed(SamError, ConnectionError):
    """A file that could not be had from where it is published."""


class DeviceUnavailable(SamError, ValueError):
    """A device that this machine or this torch does not have."""


class UnsupportedPrompt(SamError, ValueError):
    """A kind of prompt that the model cannot use."""


class SettingsError(SamError, ValueError):
    """A setting with an unusable value."""


class StoreError(SamError, OSError):
    """A cache or session folder that cannot be read or written."""


class Cancelled(SamError):
    """The caller asked to stop."""
