"""What the outputs of encode and decode are called."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from archivae.errors import UnsafeNameError
from archivae.images import picture_ending
from archivae.storage.escaping import escape_name, unescape_name
from archivae.storage.names import join, own_uri, with_checked_length

ARCHIVE_ENDING = ".avae"


def archive_name(name: str) -> str:
    """What a source's picture is called in an archive.

    >>> archive_name("a/b.jpg"), archive_name("a\\nb.jpg")
    ('a/b.jpg.avae', 'a%{0a}b.jpg.avae')
    """
    return member_name(escape_name(name))


def member_name(archived: str) -> str:
    """``a/b.jpg``, escaped already as the rows of an index are, to ``a/b.jpg.avae``."""
    return archived + ARCHIVE_ENDING


def archived_names(name: str) -> list[str]:
    """What an archive may call what is asked for as ``name``: a source's name, which comes first, or an archived one.

    >>> archived_names("a/b.jpg"), archived_names("a\\nb.jpg"), archived_names("a%{0a}b.jpg")
    (['a/b.jpg'], ['a%{0a}b.jpg'], ['a%{25}{0a}b.jpg', 'a%{0a}b.jpg'])
    """
    escaped = escape_name(name)
    with suppress(UnsafeNameError):  # nothing is archived under such a name
        join("/", name)
        return [*dict.fromkeys([escaped, name])]
    return [escaped]


def target_uri(folder: str, target: str) -> str:
    """Where a file called ``target`` is written: ``.avae`` files under that very name, others as `own_uri` says.

    UnsafeNameError for names that could land elsewhere, or are too long.
    """
    if target.endswith(ARCHIVE_ENDING):
        return with_checked_length(join(folder, target))
    return own_uri(folder, target)


def decoded_name(archived: str, ending: str, *, full: bool = False) -> str:
    """The picture's name with ``ending`` in place of its own, or after it in ``full``.

    >>> decoded_name("a/b.jpg.avae", ".png"), decoded_name("a/b.jpg.avae", ".png", full=True)
    ('a/b.png', 'a/b.jpg.png')
    """
    name = _source_name(archived)
    return (name if full else without_ending(name)) + ending


def collision_group(archived: str) -> str:
    """What names have in common that could decode to one another's: all their picture endings taken off.

    >>> collision_group("a/b.jpg.avae"), collision_group("a/b.jpg.png.avae")
    ('a/b', 'a/b')
    """
    name = archived.removesuffix(ARCHIVE_ENDING)
    while (shorter := without_ending(unescape_name(name))) != name:
        name = shorter
    return name


def _source_name(archived: str) -> str:
    """What an ``.avae`` file's source was called; any other name as it is."""
    if not archived.endswith(ARCHIVE_ENDING):
        return archived
    return unescape_name(archived.removesuffix(ARCHIVE_ENDING))


def assign_decoded_names(archived: Collection[str], ending: str) -> dict[str, str]:
    """The decoded name of each member of a collision group; where names collide, all of those keep their source's.

    >>> assign_decoded_names(["a.jpg.avae", "a.png.avae", "b.gif.avae"], ".png")
    {'a.jpg.avae': 'a.jpg.png', 'a.png.avae': 'a.png.png', 'b.gif.avae': 'b.png'}
    """
    full: set[str] = set()
    while True:
        names = {source: decoded_name(source, ending, full=source in full) for source in archived}
        sources_of: dict[str, list[str]] = {}
        for source, name in names.items():
            sources_of.setdefault(name, []).append(source)
        colliding = {s for sources in sources_of.values() if len(sources) > 1 for s in sources} - full
        if not colliding:
            return names
        full |= colliding


def kept_name(name: str, sha256: bytes, digits: int = 12) -> str:
    """What an archived picture is called once a newer one has its name.

    >>> kept_name("a/b.jpg", bytes.fromhex("12ab" * 16))
    'a/b~12ab12ab12ab.jpg'
    """
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    version = f"~{sha256.hex()[:digits]}"
    return folder + slash + (f"{stem}{version}.{ending}" if dot and stem else last + version)


def without_ending(name: str) -> str:
    """``a/b.jpg`` to ``a/b``; endings that are no picture's stay."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.rpartition(".")[0] if picture_ending(last) else name
