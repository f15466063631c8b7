from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import volumes
from volumes import Geometry, Provenance, ShapeMismatch, Volume, VolumeError, errors


def test_all_is_sorted_and_complete() -> None:
    public = sorted(
        name
        for name in vars(volumes)
        if not name.startswith("_") and not inspect.ismodule(vars(volumes)[name])
    )
    assert volumes.__all__ == sorted(set(public) - {"annotations"})


def test_every_error_is_exported_is_drawn_and_has_a_builtin_parent() -> None:
    leaves = [value for value in vars(errors).values() if inspect.isclass(value) and value is not VolumeError]
    for leaf in leaves:
        assert issubclass(leaf, VolumeError)
        parent = leaf.__bases__[1]
        assert parent.__module__ == "builtins"
        assert f"{leaf.__name__} ({parent.__name__})" in (errors.__doc__ or "")
        assert leaf.__name__ in volumes.__all__
        assert str(leaf("what, value, remedy")) == "what, value, remedy"


def test_importing_loads_nothing_heavy() -> None:
    heavy = "SimpleITK pydicom PIL tifffile zarr numcodecs av fsspec torch napari napari_sam qtpy"
    code = f"import sys, volumes; print(*[name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_volume_needs_the_geometrys_shape() -> None:
    geometry = Geometry.from_spacing((2, 3, 4))
    assert Volume(np.zeros((2, 3, 4, 3), np.uint8), geometry, Provenance("made")).is_rgb
    for shape in [(2, 3), (2, 3, 5), (2, 3, 4, 4), (2, 3, 4, 3, 1)]:
        with pytest.raises(ShapeMismatch, match="P, R, C"):
            Volume(np.zeros(shape), geometry, Provenance("made"))


def test_the_digest_changes_with_voxels_type_and_place_only() -> None:
    data, geometry = np.arange(24, dtype=np.int16).reshape(2, 3, 4), Geometry.from_spacing((2, 3, 4))
    digest = Volume(data, geometry, Provenance("made")).digest()
    assert len(digest) == 64
    assert digest == Volume(np.asfortranarray(data), geometry, Provenance("other"), (0.0, 1.0)).digest()
    others = [
        Volume(data + 1, geometry, Provenance("made")),
        Volume(data.astype(np.uint16), geometry, Provenance("made")),
        Volume(data, Geometry.from_spacing((2, 3, 4), (2, 1, 1)), Provenance("made")),
    ]
    assert len({digest, *(other.digest() for other in others)}) == 4
