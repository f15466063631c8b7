"""``napari-sam info``: what an image, or a file of labels, is."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from napari_sam.cli.arguments import add_image_argument, chosen_image, image_place
from napari_sam.cli.console import say, tell

_DESCRIPTION = """\
Show what an image is: geometry, orientation, modality, window, what is irregular and what was assumed. Of a
file or folder with several volumes, which these are; of a DICOM SEG, an RTSTRUCT or COCO JSON, its segments.

Nothing that names a patient or a study is shown, unless --patient asks for it.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    from argparse import RawDescriptionHelpFormatter

    parser = commands.add_parser(
        "info",
        help="show geometry, orientation, modality and window of an image",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_image_argument(parser, several=True)
    parser.add_argument(
        "--like",
        type=image_place,
        metavar="IMAGE",
        help="INPUT is labels that belong to this image: describe them on its grid",
    )
    parser.add_argument("--like-series", metavar="KEY", help="which of the volumes of that image")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--patient",
        action="store_true",
        help="show the patient's name, id, birth date and sex, the study's date, and UIDs too",
    )
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Describe each image, or list the volumes that there are to choose from."""
    from volumes import VolumeError

    records, is_alone, failed = [], len(given.images) == 1, None
    for place in given.images:
        try:
            found = _inspect(given, place)
        except VolumeError as error:
            if is_alone:
                raise
            if failed is not None:
                tell(" ".join(str(failed).split()))
            failed = error
            records.append({"input": str(place), "error": " ".join(str(error).split())})
            continue
        records.append(found.record if is_alone else {"input": str(place), **found.record})
        if not given.json:
            for line in found.lines if is_alone else (f"{place}:", *found.lines, ""):
                say(line)
    if given.json:
        say(json.dumps(records[0] if is_alone else records, indent=1))
    if failed is not None:
        raise failed


def _inspect(given: Namespace, place: Any) -> Any:
    from napari_sam.nodes.image_input import ImageInput
    from napari_sam.nodes.inspection import inspect_file

    like = None if given.like is None else ImageInput(given.like, given.like_series)
    return inspect_file(chosen_image(given, place), like=like, with_patient=given.patient)
