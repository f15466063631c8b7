"""The same images and the same model as the operations under the command line."""

from __future__ import annotations

import pytest

from tests.nodes.conftest import image, segmenter, truth, volume

__all__ = ["image", "segmenter", "truth", "volume"]

pytest.register_assert_rewrite("tests.cli.running")  # its failures name the values, as those of a test do
