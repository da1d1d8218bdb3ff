"""The values that travel from a file to the codec: what is wished of reading, what a file holds, and the picture it gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from archivae.errors import UsageError
from archivae.images.metadata import NO_METADATA, Metadata
from archivae.images.notes import NO_NOTES, Notes

MAX_PIXELS = 400_000_000

Depth = Literal["8", "keep"]
Frames = Literal["first", "all"]
Colours = Literal["grey", "rgb", "cmyk"]
OwnBytes = Literal["may", "must", "never"]
KeptBytes = Literal["none", "lost"]

CHANNELS: dict[Colours, int] = {"grey": 1, "rgb": 3, "cmyk": 4}


@dataclass(frozen=True)
class ReadOptions:
    """What is wished of reading a picture.

    Attributes:
        depth: "8" reduces finer samples with a note of the error; "keep" keeps them, coded without loss.
        frames: of an animation or of several pages, the first, with a note of the others, or all.
        strip_metadata: EXIF, XMP and IPTC are dropped (the colour profile is needed and stays).
        strip_gps: where the picture was taken is dropped from EXIF and XMP, and nothing else.
        tolerant: of a truncated file, what can be decoded is kept, with a note.
        keep_dicom_tags: a DICOM file's own bytes, patient and all, may be archived.
        keep_bytes_of: "lost" archives the own bytes of a file of which something would be lost; "none" does not.
        exact: colours and samples stay as stored, for coding without loss.
    """

    depth: Depth = "8"
    frames: Frames = "first"
    strip_metadata: bool = False
    strip_gps: bool = False
    tolerant: bool = False
    keep_dicom_tags: bool = False
    keep_bytes_of: KeptBytes = "none"
    exact: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("depth", Depth), ("frames", Frames), ("keep_bytes_of", KeptBytes)):
            allowed = get_args(kind)
            if getattr(self, name) not in allowed:
                raise UsageError(f"expected {name} to be {' or '.join(allowed)}, found {getattr(self, name)!r}")

    @property
    def keeps_depth(self) -> bool:
        return self.exact or self.depth == "keep"

    @property
    def keeps_lost(self) -> bool:
        """Whether a file of which something would be lost is archived as its own bytes, where that is allowed."""
        return self.exact or self.keep_bytes_of == "lost"

    def asked(self) -> dict[str, Any]:
        """What differs from the default, as the words that ask for it; ``exact`` follows from the rate."""
        return {
            name: getattr(self, name)
            for name, default in _DEFAULTS.items()
            if name != "exact" and getattr(self, name) != default
        }


_DEFAULTS = {name: f.default for name, f in ReadOptions.__dataclass_fields__.items()}
DEFAULT_OPTIONS = ReadOptions()
READ_WORDS = tuple(name for name in _DEFAULTS if name != "exact")
"""The options that a user may ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """One picture as its file holds it: what a reader gives.

    Attributes:
        samples: (H, W, C), uint8, uint16, int16 or float32; C is 1, 3 or 4 as ``colours`` say.
        colours: grey, rgb or cmyk (0 no ink).
        largest: the sample that means full, where samples are unsigned integers.
        linear: float samples are light, not what the eye sees: OpenEXR, Radiance HDR.
        alpha: (H, W) of the same type, ``largest`` opaque; None where the file has none.
        metadata: as stored; its orientation has yet to be applied.
        upright: the reader has applied the orientation itself; ``turned`` says which it was.
        reduced_from: bits a sample of the file where the reader could only give fewer; 0 if it gave all.
        approximate: the samples are of no fewer bits than 8, but not exactly the file's.
        partial: bands of samples are left behind: no picture without them may stand for the file.
        notes: what the reader left behind or had to change; what stands beside the pixels is named by
            `archivae.images.leftovers`.
    """

    samples: np.ndarray
    colours: Colours
    largest: int = 255
    linear: bool = False
    alpha: np.ndarray | None = None
    metadata: Metadata = NO_METADATA
    upright: bool = False
    turned: int = 1
    reduced_from: int = 0
    approximate: bool = False
    partial: bool = False
    notes: Notes = NO_NOTES


@dataclass(frozen=True, slots=True)
class Rasters:
    """What a file holds: its first picture, those after it where they were wished for, and how they follow each other.

    ``count`` is how many there are in the file, read or not. ``milliseconds`` gives each read frame's time, 0 for pages;
    ``loops`` how often an animation is shown, 0 for ever. ``personal``: the file's own bytes name a patient.
    """

    first: Raster
    rest: tuple[Raster, ...] = ()
    count: int = 1
    milliseconds: tuple[int, ...] = (0,)
    loops: int = 0
    damage: str = ""
    personal: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """The frames after the first, and the time of every frame, the first included: 0 ms for pages; 0 loops: for ever."""

    rest: tuple[Picture, ...]
    milliseconds: tuple[int, ...]
    loops: int = 0


@dataclass(frozen=True, slots=True, eq=False)  # arrays don't compare to one truth value: pictures are compared by hand
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, (H, W, 1) grey or (H, W, 3) RGB, upright, C-contiguous, read-only; in sRGB, unless ``metadata.icc``
            says what they mean.
        format: what the file was, in small letters: jpeg, png, webp, ...
        metadata: EXIF (orientation 1), XMP, IPTC; the profile of the pixels, or that of the source they were converted from.
        notes: what of the file is lost, and each change; none if pixels and metadata are the file's own.
        alpha: (H, W), of the type of ``deep`` or else uint8; None if opaque.
        deep: the samples in their own depth, uint16, int16 or float32, of the shape of ``pixels``; None for 8 bits.
        largest: the sample of ``deep`` that means full, where that is uint16.
        sequence: the other frames; None for a still picture, or where only the first was wished for.
        own_bytes: whether the source's own bytes may stand for this picture, must as nothing else keeps all that was
            wished for, or must never, as they are damaged or hold what was to be dropped.
    """

    pixels: np.ndarray
    format: str
    metadata: Metadata
    notes: Notes
    alpha: np.ndarray | None = None
    deep: np.ndarray | None = None
    largest: int = 65535
    sequence: Sequence | None = None
    own_bytes: OwnBytes = field(default="may")

    @property
    def frames(self) -> tuple[Picture, ...]:
        """All frames, this one first."""
        return (self,) if self.sequence is None else (replace(self, sequence=None), *self.sequence.rest)
