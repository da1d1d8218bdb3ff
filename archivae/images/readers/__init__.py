"""From a file's bytes to `Rasters`: one small function a kind of file, found by the kind that its content shows.

What a reader takes: the whole file, what is wished, and the most pixels allowed. It raises DamagedPictureError,
PictureTooLargeError before it decodes anything, or UnsupportedPictureError; other exceptions of libraries count as damage.
"""

from __future__ import annotations

from collections.abc import Callable

from archivae.images.picture import Rasters, ReadOptions
from archivae.images.readers.bmp import read_bmp
from archivae.images.readers.dicom import read_dicom
from archivae.images.readers.heif import read_heif
from archivae.images.readers.jpeg import read_jpeg
from archivae.images.readers.jpeg2000 import read_jpeg2000
from archivae.images.readers.jpeg_xl import read_jpeg_xl
from archivae.images.readers.light import read_exr, read_hdr
from archivae.images.readers.netpbm import read_netpbm
from archivae.images.readers.plain import read_avif, read_gif, read_webp
from archivae.images.readers.png import read_png
from archivae.images.readers.tiff import read_tiff

Reader = Callable[[bytes, ReadOptions, int], Rasters]

READERS: dict[str, Reader] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WEBP": read_webp,
    "AVIF": read_avif,
    "GIF": read_gif,
    "TIFF": read_tiff,
    "BMP": read_bmp,
    "PPM": read_netpbm,
    "JPEG2000": read_jpeg2000,
    "JPEG XL": read_jpeg_xl,
    "HEIF": read_heif,
    "DICOM": read_dicom,
    "OpenEXR": read_exr,
    "Radiance HDR": read_hdr,
}
"""By the names that `archivae.images.sniffing.sniff` gives."""
