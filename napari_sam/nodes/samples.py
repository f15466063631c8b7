"""The artificial samples that ship with the package, and how one is written as files that programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.errors import UnknownSample
from napari_sam.nodes.mr_head import HEAD_NAMES, make_mr_head
from napari_sam.nodes.nuclei import make_nuclei
from napari_sam.nodes.outputs import check_outputs, write_bytes
from napari_sam.nodes.phantom import PHANTOM_NAMES, make_phantom
from napari_sam.nodes.short_film import FILM_NAMES, make_short_film
from volumes import UnwritableOutput, Volume

__all__ = ["SAMPLES", "Sample", "WrittenSample", "make_sample", "write_sample"]


@dataclass(frozen=True)
class Sample:
    """A sample: what it is called, how it is made, and what its label values stand for.

    Attributes
    ----------
    title : str
        A name for people.
    make : callable
        Gives the volume, and labels of its shape (P, R, C); the same every time, in about a second.
    names : mapping of int to str
        Empty where the values are only numbers.
    suffix : str
        Of the file that it is written as; "" for a folder with a DICOM series.
    """

    title: str
    make: Callable[[], tuple[Volume, NDArray[np.uint8]]]
    names: Mapping[int, str]
    suffix: str


SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "ct": Sample("CT phantom", make_phantom, PHANTOM_NAMES, ""),
        "mr": Sample("MR head", make_mr_head, HEAD_NAMES, ""),
        "cells": Sample("Cells", make_nuclei, {}, ".ome.tif"),
        "film": Sample("Film", make_short_film, FILM_NAMES, ".webp"),
    }
)
"""Each sample by its short name."""


@dataclass(frozen=True)
class WrittenSample:
    """Where a sample lies.

    Attributes
    ----------
    image : Path
        A file, or the folder of a DICOM series.
    truth : Path
        Its true labels.
    names : mapping of int to str
        What their values stand for; empty where they are only numbers.
    """

    image: Path
    truth: Path
    names: Mapping[int, str]


def make_sample(name: str) -> tuple[Volume, NDArray[np.uint8]]:
    """Draw a sample.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.

    Raises
    ------
    UnknownSample
        Another name.
    """
    return _sample(name).make()


def write_sample(folder: Path, name: str) -> WrittenSample:
    """Write a sample and its true labels: CT and MR as DICOM series, cells as OME-TIFF, the film as WebP.

    Parameters
    ----------
    folder : Path
        Made where it is missing; what has the sample's names in it is replaced.
    name : str
        One of `SAMPLES`.

    Raises
    ------
    UnknownSample
        Another name.
    UnwritableOutput
        The folder cannot be made or written to.
    """
    sample = _sample(name)
    image = folder / f"{name}{sample.suffix}"
    truth = folder / f"{name}-truth.nii.gz"
    try:
        (folder if sample.suffix else image).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot make the folder {folder}: {error.strerror}; choose another with --output"
        ) from error
    check_outputs([], [truth, *([image] if sample.suffix else [])])
    volume, labels = sample.make()
    if not sample.suffix:
        from napari_sam.nodes.sample_series import write_series

        write_series(image, volume, sample.title)
    elif volume.is_rgb:
        _write_frames(image, volume)
    else:
        volumes.write_image(image, volume)
    volumes.write(truth, labels, like=volume)
    return WrittenSample(image, truth, sample.names)


def _sample(name: str) -> Sample:
    if name not in SAMPLES:
        raise UnknownSample(f"there is no sample {name!r}; choose one of {', '.join(SAMPLES)}")
    return SAMPLES[name]


def _write_frames(path: Path, volume: Volume) -> None:
    """Write frames (P, R, C, 3) as a WebP that moves, without loss."""
    from io import BytesIO

    from PIL import Image

    first, *others = (Image.fromarray(frame) for frame in np.asarray(volume.data))
    content = BytesIO()
    look = {"duration": 80, "loop": 0, "lossless": True, "method": 0}
    first.save(content, "WEBP", save_all=True, append_images=others, **look)
    write_bytes(path, content.getvalue())
