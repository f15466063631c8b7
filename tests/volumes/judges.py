"""Where other programs find things: SimpleITK and nibabel, asked in this package's terms."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from volumes import Geometry

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def geometry_of(image: sitk.Image) -> Geometry:
    """Geometry of a SimpleITK image of two or three dimensions, in array order (plane, row, column)."""
    n_axes = image.GetDimension()
    matrix = np.eye(3)
    matrix[:n_axes, :n_axes] = np.reshape(image.GetDirection(), (n_axes, n_axes)) * image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3] = matrix[:, ::-1]
    affine[:n_axes, 3] = image.GetOrigin()
    column, row, plane = (*image.GetSize(), 1)[:3]
    return Geometry((plane, row, column), affine)


def nibabel_geometry(path: Path) -> Geometry:
    """Geometry that nibabel sees, in this package's order and world."""
    image = nibabel.load(path)
    affine = (RAS_TO_LPS @ image.affine)[:, [2, 1, 0, 3]]
    column, row, plane = (*image.shape, 1, 1)[:3]
    return Geometry((plane, row, column), affine)


def labelled_mm_by_simpleitk(path: Path) -> np.ndarray:
    """LPS mm of the only labelled voxel, as SimpleITK finds it."""
    image = sitk.ReadImage(str(path))
    plane, row, column = np.argwhere(sitk.GetArrayFromImage(image))[0].tolist()
    return np.array(image.TransformIndexToPhysicalPoint((column, row, plane)))


def labelled_mm_by_nibabel(path: Path) -> np.ndarray:
    """LPS mm of the only labelled voxel, as nibabel finds it."""
    image = nibabel.load(path)
    at = np.argwhere(np.asanyarray(image.dataobj))[0]
    return (RAS_TO_LPS @ image.affine @ [*at, 1.0])[:3]
