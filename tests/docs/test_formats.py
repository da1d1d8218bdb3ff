"""docs/formats.md is what a run over the corpus gives. To write it anew: python -m tests.docs.test_formats"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from archivae.bitstream import read_bitstream
from archivae.errors import PictureError
from archivae.images import Picture, open_picture
from archivae.operations.chunks import metadata_of
from archivae.operations.decode import decode_stream
from archivae.operations.encode import encode_file
from archivae.operations.rate import Quality
from tests.docs.corpus import Case, corpus
from tests.samples import small_codec

FIGURES = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "second_reader.json"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
HEAD = """# What goes in and what comes back
Each row is a small file that was encoded at quality 60, verified and decoded by a test (`tests/docs/test_formats.py` writes
this page and fails where it no longer holds). Content decides what a file is, never its name. How it was coded (learned,
lossless, or the source's own bytes) depends on the picture; these are tiny, and the model that coded them is the tests' own.

![A photograph meant, in other profiles with those ignored, as coded, and restored](colour_sheet.jpg)

DICOM, OpenEXR and Radiance HDR are read through tensorflow-io (`pip install 'archivae[tfio]' -c constraints-tfio.txt`) and
tested in an environment of their own (`make test-tfio`).
Of pydicom's 78 test files 43 are read, with pydicom's own samples wherever it decodes them too (within 2 levels where JPEG lost
some); 35 are refused with a reason: no pixels at all, 1 or 32 bits, no DICOM header, overlays, or DCMTK can't.

*Lost* is in the archive in no form: such an original is never deleted. *Changed* was converted. Both are columns of the
manifest. With `--lossless` and `--keep-bytes-of lost` what would lose something is kept as its own bytes.

| file | asked | comes back as | kept beside | lost | changed |
| --- | --- | --- | --- | --- | --- |
"""


SECOND_READER = """
## A second reader
Odd files of every kind, made for a test or shipped by other packages, are read exactly and compared with the samples that they
were made from, or with what an independent decoder gives: libvips, libtiff's and libjpeg-turbo's tools, OpenJPEG. *Agreed* is
the same samples. *Refused* is a dead letter with its reason; most of these files are damaged on purpose. *Noted* lacks
something that is named as lost, or is kept as its own bytes. *Wrong* would be anything else. `tests/second_reader` makes the
files, and `python -m tests.second_reader.test_second_reader` the figures.

| files | in all | agreed | refused | noted | wrong |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    return HEAD + "".join(f"| {' | '.join(row(case))} |\n" for case in corpus()) + SECOND_READER + "".join(_figures())


def _figures() -> Iterator[str]:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    for name, counts in [*figures["parts"].items(), ("all", figures["total"])]:
        yield f"| {name} | {' | '.join(str(count) for count in counts.values())} |\n"


def row(case: Case) -> tuple[str, str, str, str, str, str]:
    asked = f"`{case.asked}`" if case.asked else ""
    try:
        result = encode_file(case.data, small_codec(), Quality(60), options=case.options)
    except PictureError as error:
        return case.name, asked, "dead letter: " + str(error).partition(";")[0], "", "", ""
    stream = read_bitstream(result.data)
    picture = decode_stream(stream, lambda _: small_codec())
    metadata = metadata_of(stream) if stream.ancillary else picture.metadata
    beside = [name for name in ("exif", "icc", "xmp", "iptc") if getattr(metadata, name)]
    beside += ["source's profile"] if metadata.source_icc else []
    if picture.sequence:
        beside.append("times" if any(picture.sequence.milliseconds) else "pages")
    notes = result.notes
    return case.name, asked, look(picture), ", ".join(beside), "; ".join(notes.lost), "; ".join(notes.changed)


def look(picture: Picture) -> str:
    samples = picture.pixels if picture.deep is None else picture.deep
    colours = "grey" if samples.shape[2] == 1 else "RGB"
    alpha = " + alpha" if picture.alpha is not None else ""
    depth = "" if picture.deep is None else f", {samples.dtype}"
    frames = f", {len(picture.frames)} frames" if picture.sequence else ""
    return f"{samples.shape[1]}x{samples.shape[0]} {colours}{alpha}{depth}{frames}"


def load_plugins() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()


@pytest.fixture(autouse=True)
def _plugins() -> None:
    load_plugins()


def test_the_page_says_what_happens() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs.test_formats and look at what changed"


def test_pictures_of_the_corpus_are_not_blank() -> None:
    for case in corpus():
        try:
            picture = open_picture(case.data, options=case.options)
        except PictureError:
            continue
        assert picture.pixels.std() > 5, case.name


if __name__ == "__main__":
    load_plugins()
    PAGE.write_text(page(), encoding="utf-8")
