"""Reading what was typed: a parser with one-line errors, numbers, and arguments that commands share.

Nothing here imports more than the standard library, so that ``--help`` comes at once.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from napari_sam.nodes.image_input import ImageInput
    from napari_sam.nodes.models import ModelChoice

__all__ = [
    "Parser",
    "UsageError",
    "VersionAction",
    "add_image_argument",
    "add_model_arguments",
    "add_plane_arguments",
    "add_reading_arguments",
    "box_numbers",
    "chosen_image",
    "image_place",
    "join_negative_values",
    "model_choice",
    "plane_range",
    "point_numbers",
]

_TAKE_NUMBERS = frozenset({"--point", "--negative", "--box", "--window", "--range"})
_PRECISIONS = ("auto", "float32", "bfloat16")
_DEVICES = ("auto", "cpu", "cuda", "mps")


class UsageError(Exception):
    """Something typed that cannot be used; the text is for the person, on one line."""


class Parser(argparse.ArgumentParser):
    """An argument parser that knows no abbreviations, and raises where the standard one prints and exits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


class VersionAction(argparse.Action):
    """Shows the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print and leave."""
        import napari_sam

        sys.stdout.write(f"{parser.prog} {napari_sam.__version__}\n")
        parser.exit()


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Join ``--window -160,240`` into ``--window=-160,240``, which argparse does not take for an option."""
    joined: list[str] = []
    rest = list(arguments)
    while rest:
        first = rest.pop(0)
        if first == "--":
            return [*joined, first, *rest]
        if first in _TAKE_NUMBERS and rest and re.match(r"-[\d.]", rest[0]):
            first = f"{first}={rest.pop(0)}"
        joined.append(first)
    return joined


def point_numbers(text: str) -> tuple[float, float, float]:
    """Read ``Z,Y,X``."""
    plane, row, column = _numbers(text, 3, "Z,Y,X", float)
    return plane, row, column


def box_numbers(text: str) -> tuple[int, tuple[int, int, int, int]]:
    """Read ``Z,Y0,X0,Y1,X1`` as the plane, and the half-open box in it."""
    plane, row0, col0, row1, col1 = _numbers(text, 5, "Z,Y0,X0,Y1,X1", int)
    return plane, (row0, col0, row1, col1)


def plane_range(text: str) -> tuple[int, int]:
    """Read ``A:B``."""
    parts = text.split(":")
    try:
        first, last = (int(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of planes; give A:B, B excluded") from None
    if not 0 <= first < last:
        raise argparse.ArgumentTypeError(f"{text!r} holds no plane; give A:B with 0 <= A < B, B excluded")
    return first, last


def image_place(text: str) -> Path | str:
    """Read where an image is: a path, or text for a URL, which a path would mangle."""
    return text if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) else Path(text)


def add_image_argument(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the image, or several, and how it is read."""
    what = "file, DICOM folder, folder of pictures, or URL of an OME-Zarr"
    if several:
        parser.add_argument("images", nargs="+", metavar="INPUT", type=image_place, help=what)
    else:
        parser.add_argument("image", metavar="INPUT", type=image_place, help=what)
    add_reading_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which volume of a file is meant, and how strictly it is read."""
    parser.add_argument("--series", metavar="KEY", help="which of several volumes (info lists them)")
    parser.add_argument(
        "--allow-gaps",
        action="store_true",
        help="take a DICOM series with missing or uneven planes, and keep its gaps true",
    )
    parser.add_argument(
        "--straighten",
        action="store_true",
        help="resample planes that shift sideways (gantry tilt) onto axes at right angles",
    )


def chosen_image(given: argparse.Namespace, place: Path | str) -> ImageInput:
    """Return an image with how it was asked to be read."""
    from napari_sam.nodes.image_input import ImageInput

    return ImageInput(place, given.series, given.allow_gaps, given.straighten)


def positive_number(text: str) -> float:
    """Read a size above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no size above 0")
    return number


def axis_or_all(text: str) -> int | str:
    """Read an array axis, or the word "all"."""
    return text if text == "all" or not text.isdecimal() else int(text)


def add_plane_arguments(parser: argparse.ArgumentParser, *, with_all: bool = False) -> None:
    """Add which planes are meant and how they are seen."""
    parser.add_argument(
        "--range",
        "--planes",
        dest="planes",
        type=plane_range,
        metavar="A:B",
        help="planes to stay in, B excluded",
    )
    parser.add_argument(
        "--axis",
        type=axis_or_all if with_all else int,
        choices=(0, 1, 2, "all") if with_all else (0, 1, 2),
        default=0,
        help="array axis that the planes cut across (default 0)"
        + ("; all: follow along each, and let them vote" if with_all else ""),
    )
    parser.add_argument(
        "--window",
        metavar="PRESET|LO,HI",
        help="intensities that the model sees: soft-tissue, abdomen, liver, mediastinum, lung, bone, brain, "
        "subdural, stroke, angio, file (what the file suggests), auto, or two numbers "
        "(default: auto, chosen from the voxels of the whole volume)",
    )


def add_model_arguments(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, to_run: bool = True
) -> None:
    """Add which model runs where and, where it is to answer prompts, how exactly."""
    parser.add_argument("--model", metavar="NAME", help="which model (see: models list)")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="a file of weights for that model")
    parser.add_argument("--device", choices=_DEVICES, help="where it runs (default auto)")
    if not to_run:
        return
    parser.add_argument(
        "--precision",
        choices=_PRECISIONS,
        help="what it computes in: float32 is exact, bfloat16 faster where the machine has it (default auto)",
    )
    parser.add_argument(
        "--side",
        type=int,
        metavar="PIXELS",
        help="see planes at this size, such as 512, instead of the model's own: faster, an approximation",
    )


def model_choice(given: argparse.Namespace) -> ModelChoice:
    """Return the model that was asked for."""
    from napari_sam.nodes.models import ModelChoice

    return ModelChoice(given.model, given.weights, given.device, given.precision, given.side)


def _numbers(text: str, n: int, form: str, kind: type[Any]) -> list[Any]:
    parts = text.split(",")
    if len(parts) != n:
        counted = "1 number" if len(parts) == 1 else f"{len(parts)} numbers"
        raise argparse.ArgumentTypeError(f"{text!r} has {counted}; give {form}")
    numbers = []
    for part in parts:
        try:
            numbers.append(kind(part))
        except ValueError:
            wanted = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(
                f"{part.strip()!r} in {text!r} is no {wanted}; give {form}"
            ) from None
    return numbers
