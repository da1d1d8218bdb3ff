"""Where labelled pictures come from: a folder, a glob, one object or a zip, local or in a bucket.

Pictures are labelled by the folder that they lie in (``cats/1.jpg`` is of class ``cats``), those of an IDX file by the
IDX file of labels beside it (``...-images-idx3-ubyte``, ``...-labels-idx1-ubyte``).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archivae.errors import ArchivaeError, DamagedPictureError, UsageError
from archivae.images import open_picture, picture_ending
from archivae.pipeline.training.labelled.idx import is_idx, parse_idx
from archivae.pipeline.training.labelled.pictures import NO_CLASS, LabelledPictures, gather
from archivae.storage import list_source, read_object

MOST_MEMBER_BYTES = 1 << 30
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class _File:
    name: str
    data: bytes


def load_labelled(source: str, *, first: int | None = None, part: str = "") -> LabelledPictures:
    """All pictures under ``source``, sorted by name, and their classes; the ``first`` ones, if so many are asked for.

    ``part``: only what lies in the folder of that name, such as ``train``, or begins with it. UsageError where there are
    no pictures, or of several sizes; StorageError where there is nothing.
    """
    files = sorted((file for file in _files(source) if _belongs(file.name, part)), key=lambda file: file.name)
    arrays = {file.name: parse_idx(file.data) for file in files if is_idx(file.data)}
    loaded = _from_idx(arrays, source) if arrays else _from_pictures(files, source)
    return loaded if first is None else loaded.first(first)


def _files(source: str) -> Iterator[_File]:
    for entry in list_source(source):
        data = read_object(entry.uri)
        if data[:4] == _ZIP:
            yield from _members(data, entry.name)
        else:
            yield _File(entry.name, data)


def _members(data: bytes, name: str) -> Iterator[_File]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield _File(member.filename, _member(archive, member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DamagedPictureError(f"expected a zip in {name!r}, found a damaged or encrypted one: {error}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MOST_MEMBER_BYTES:
        raise UsageError(
            f"expected members of at most {MOST_MEMBER_BYTES} bytes, {member.filename!r} has {member.file_size}"
        )
    return archive.read(member)


def _belongs(name: str, part: str) -> bool:
    return not part or part in name.split("/")[:-1] or name.rpartition("/")[2].startswith(part)


def _from_idx(arrays: dict[str, npt.NDArray[np.uint8]], source: str) -> LabelledPictures:
    pictures = [array for array in arrays.values() if array.ndim == 3]
    labels = [array for array in arrays.values() if array.ndim == 1]
    if len(pictures) != 1 or len(labels) > 1:
        raise UsageError(
            f"expected one IDX file of pictures and at most one of labels under {source!r}, found "
            f"{', '.join(f'{name} {array.shape}' for name, array in arrays.items())}: name them by a glob"
        )
    (pixels,) = pictures
    if not labels:
        return LabelledPictures(pixels[..., None], np.zeros(len(pixels), np.int64), ())
    if len(labels[0]) != len(pixels):
        raise UsageError(f"expected a label a picture under {source!r}, found {len(labels[0])} for {len(pixels)}")
    names = tuple(str(n) for n in range(int(labels[0].max()) + 1))
    return LabelledPictures(pixels[..., None], labels[0].astype(np.int64), names)


def _from_pictures(files: Iterable[_File], source: str) -> LabelledPictures:
    pictures, classes, unreadable = [], [], []
    for file in files:
        if not picture_ending(file.name):
            continue
        try:
            pictures.append(open_picture(file.data).pixels)
            classes.append(_class(file.name))
        except ArchivaeError as error:
            unreadable.append(f"{file.name}: {error}")
    return gather(pictures, classes, source, unreadable)


def _class(name: str) -> str:
    folders = name.split("/")[:-1]
    return folders[-1] if folders else NO_CLASS
