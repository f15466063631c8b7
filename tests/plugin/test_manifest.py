"""What napari is told of the plugin."""

from __future__ import annotations

import importlib

import pytest

import volumes
from napari_sam.plugin._writer import offered_suffixes

pytestmark = pytest.mark.filterwarnings("default")

npe2 = pytest.importorskip("npe2")


@pytest.fixture
def manifest(repository):
    return npe2.PluginManifest.from_file(repository / "napari_sam" / "napari.yaml")


def test_manifest_is_valid_and_every_command_can_be_imported(manifest):
    pytest.importorskip("napari")
    assert manifest.name == "napari-sam-volumes"
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_manifest_is_found_by_its_entry_point():
    found = npe2.PluginManifest.from_distribution("napari-sam-volumes")
    assert found.contributions.widgets[0].display_name == "Segment objects"


def test_reader_takes_folders_and_the_formats_it_reads(manifest):
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    assert {"*.nii", "*.nii.gz", "*.nrrd", "*.mha", "*.dcm", "*.png", "*.tif"} <= set(
        reader.filename_patterns
    )


def test_writer_offers_what_can_be_written_the_usual_first(manifest):
    (writer,) = manifest.contributions.writers
    assert set(volumes.label_suffixes()) <= set(writer.filename_extensions)
    assert writer.filename_extensions[0] == offered_suffixes()[0] == ".nii.gz"
