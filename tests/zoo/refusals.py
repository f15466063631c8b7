"""What is said of files of weights that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_sam.errors import WeightsError
from napari_sam.zoo.weights import load_model


def error_of(spec: Any, path: Path) -> str:
    """Give the one line that says why a file is refused."""
    with pytest.raises(WeightsError) as caught:
        load_model(spec, path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message
