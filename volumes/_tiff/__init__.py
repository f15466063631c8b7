"""TIFF: read whole or page by page, with the sizes that microscopes write; labels and images written."""

from volumes._tiff.reader import TiffReader
from volumes._tiff.writer import TiffWriter

__all__ = ["TiffReader", "TiffWriter"]
