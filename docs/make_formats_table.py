"""Makes the table in docs/formats.md, and with it the table of expectations that a test holds the readers to.

Run it from the repository's root on a folder with ``dicom_zoo`` and ``format_zoo``::

    python -m docs.make_formats_table --data DIR

Every file and series is read, and pydicom, SimpleITK, dcm2niix (where it is installed), nibabel, tifffile,
Pillow and zarr are asked what they see in it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import _outside_files
from benchmarks._outside import Verdict, asked
from benchmarks._outside_dicom import by_dcm2niix, by_pydicom, by_simpleitk, has_dcm2niix
from benchmarks._zoo import COLUMNS, ZOOS, Reading, expectation, readings
from volumes import SeriesInfo, Volume

PAGE = Path(__file__).with_name("formats.md")
EXPECTATIONS = Path(__file__).parents[1] / "tests" / "volumes" / "zoo_expectations.tsv"
MARKER = "<!-- the table; made by make_formats_table.py -->\n"
_OFTEN = 4
Judge = Callable[[Path, Volume, SeriesInfo], Verdict]

# Where a judge is known to be wrong, or to mean something else; the file's name and the judge.
KNOWN = {
    ("torchio_ct_missing_slices", "SimpleITK"): "averages the gaps",
    ("sunnybrook_cine_phases", "SimpleITK"): "takes all phases for one stack if asked for the folder",
    ("philips_tilt_minus18", "SimpleITK"): "ignores the tilt",
    ("philips_two_tilts_mixed", "SimpleITK"): "ignores the tilt",
    (
        "philips_tilt_minus18",
        "dcm2niix",
    ): "ignores it too; its resampled copy lies where `straighten` puts it",
    (
        "philips_two_tilts_mixed",
        "dcm2niix",
    ): "ignores it too; its resampled copies: 201 lies where `straighten` "
    "puts it, 301 lies 10 mm from where the headers do",
    ("SC_rgb_rle_16bit.dcm", "SimpleITK"): "wrong for 16-bit colour in RLE",
    ("paramaps_pm-example-slice.dcm", "SimpleITK"): "rounds the directions otherwise",
    ("J2K_pixelrep_mismatch.dcm", "dcm2niix"): "shears this one plane by its tilt tag",
    ("examples_palette.dcm", "dcm2niix"): "shows the numbers of the colours",
    ("OBXXXX1A_rle_2frame.dcm", "dcm2niix"): "shows the numbers of the colours",
    ("OT-PAL-8-face.dcm", "dcm2niix"): "shows the numbers of the colours",
    ("gdcm-US-ALOKA-16.dcm", "dcm2niix"): "shows the numbers of the colours",
    ("mlut_18.dcm", "dcm2niix"): "leaves the modality LUT out",
    ("mlut_18.dcm", "SimpleITK"): "leaves the modality LUT out",
    ("SC_jpeg_no_color_transform.dcm", "dcm2niix"): "turns RGB as if it were YBR",
    ("SC_rgb_jpeg.dcm", "dcm2niix"): "turns RGB as if it were YBR",
    ("SC_rgb_small_odd_jpeg.dcm", "dcm2niix"): "another JPEG decoder",
    ("SC_ybr_full_uncompressed.dcm", "dcm2niix"): "shows YBR as if it were RGB",
    ("SC_rgb_rle_2frame.dcm", "dcm2niix"): "wrong in the second frame",
    ("SC_rgb_small_odd_big_endian.dcm", "dcm2niix"): "swaps pairs of 8-bit values",
    ("xyc_8bit__membranes_nuclei.tif", "SimpleITK"): "shows it through its palette",
    ("emri_small_jpeg_2k_lossless.dcm", "dcm2niix"): "right in the first frame only",
    (
        "emri_small_jpeg_2k_lossless_too_short.dcm",
        "dcm2niix",
    ): "right in the first frame only; ours are the voxels of emri_small.dcm",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page's table and the expectations."""
    parser = argparse.ArgumentParser(prog="python -m docs.make_formats_table", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    if not all((options.data / zoo / "INDEX.tsv").is_file() for zoo in ZOOS):
        print(f"{options.data} holds no {' and '.join(ZOOS)} with an INDEX.tsv", file=sys.stderr)
        return 2
    found = {zoo: list(readings(options.data, zoo)) for zoo in ZOOS}
    everything = [one for of_zoo in found.values() for one in of_zoo]
    expected = ["\t".join(COLUMNS), *("\t".join(expectation(one)) for one in everything)]
    marks = footnotes(everything)
    lines = [f"- [{mark}] {note}" for note, mark in marks.items()] + [""]
    for zoo, of_zoo in found.items():
        lines += sections(zoo, of_zoo, marks)
    EXPECTATIONS.write_text("\n".join(expected) + "\n", encoding="utf-8")
    above = PAGE.read_text(encoding="utf-8").partition(MARKER)[0]
    PAGE.write_text(above + MARKER + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


def footnotes(found: Sequence[Reading]) -> dict[str, str]:
    """Give each note that is made often a mark."""
    notes = Counter(
        note for one in found if one.volume is not None for note in set(one.volume.provenance.notes)
    )
    often = [note for note, count in notes.most_common() if count >= _OFTEN]
    return dict(zip(often, "abcdefghijklmnopqrstuvwxyz", strict=False))


def sections(zoo: str, found: Sequence[Reading], marks: dict[str, str]) -> Iterator[str]:
    """Lay out a zoo, one table a folder, one line a file."""
    titles = (
        ("pydicom", "SimpleITK", "dcm2niix")
        if zoo == "dicom_zoo"
        else ("the format's own library", "SimpleITK")
    )
    in_order = sorted(found, key=_folder_of)
    for folder, of_folder in itertools.groupby(in_order, key=_folder_of):
        yield f"### {zoo}/{folder}\n"
        yield f"| file | what it is | what `volumes` makes of it | {' | '.join(titles)} |"
        yield f"|---|---|---|{'---|' * len(titles)}"
        for name, of_file in itertools.groupby(of_folder, key=lambda one: one.path.name):
            volumes_ = list(of_file)
            cells = [f"`{name}`", _what(volumes_[0]), _outcome(volumes_, marks), *_verdicts(zoo, volumes_)]
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        yield ""


def _folder_of(reading: Reading) -> str:
    """Return the folder in the zoo that a file lies in."""
    return Path(reading.index["path"]).parent.as_posix()


def _what(reading: Reading) -> str:
    """Say what the zoo's index says of a file."""
    row = reading.index
    if reading.zoo == "format_zoo":
        return row["oddity"]
    kind = (row["sop_class"] or row["modality"]).replace(" Storage", "")
    syntax = row["transfer_syntax"].replace(" Image Compression", "").partition(", Non-Hier")[0]
    return "; ".join(filter(None, (kind, syntax, row["oddity"])))


def _outcome(found: Sequence[Reading], marks: dict[str, str]) -> str:
    """Say what was made of a file, of each volume where it holds several."""
    parts = []
    for one in found:
        if one.labels is not None:
            size = "×".join(map(str, one.labels.data.shape))
            names = ", ".join(f"{part.value} {part.name}" for part in one.labels.segments)
            words = f"no image; as labels {size} {one.labels.data.dtype}: {names}"
        elif one.volume is None:
            words = f"{one.outcome}: {one.line}"
        else:
            size = "×".join(map(str, one.volume.data.shape))
            spacing = "×".join(f"{length:.4g}" for length in one.volume.geometry.spacing_mm)
            said = one.volume.provenance.notes
            rare = "; ".join(note for note in said if note not in marks)
            signs = "".join(f" [{marks[note]}]" for note in said if note in marks)
            modality = one.volume.provenance.modality or ""
            words = f"{modality} {size} {one.volume.data.dtype}, {spacing} mm".strip()
            words += signs + (f" ({rare})" if rare else "")
        named = one.series is not None and len(found) > 1
        parts.append(f"`{one.series.key}`: {words}" if named and one.series is not None else words)
    return "<br>".join(parts)


def _verdicts(zoo: str, found: Sequence[Reading]) -> Iterator[str]:
    """Ask each judge about each volume that was read, and sum up."""
    read = [one for one in found if one.volume is not None]
    for title, judge in _judges(zoo, found[0].path):
        said = [asked(judge, one.path, one.volume, one.series) for one in read] if judge is not None else []
        words = sorted({str(verdict) for verdict in said})
        known = KNOWN.get((found[0].path.name, title), "")
        yield "<br>".join(words) + (f" ({known})" if known else "") if words else known


def _judges(zoo: str, path: Path) -> Iterator[tuple[str, Judge | None]]:
    """Return who is asked about a file, by the column's title."""
    if zoo == "dicom_zoo":
        yield "pydicom", lambda _path, volume, _series: by_pydicom(volume)
        yield "SimpleITK", lambda _path, volume, _series: by_simpleitk(volume)
        yield "dcm2niix", (lambda _path, volume, _series: by_dcm2niix(volume)) if has_dcm2niix() else None
        return
    own: dict[str, Judge] = {
        ".tif": _outside_files.by_tifffile, ".png": _outside_files.by_pillow, ".zarr": _outside_files.by_zarr,
        ".mha": _outside_files.by_simpleitk,
    }  # fmt: skip
    yield "own", own.get(path.suffix, _outside_files.by_nibabel)
    yield "SimpleITK", None if path.is_dir() else _outside_files.by_simpleitk


if __name__ == "__main__":
    sys.exit(main())
