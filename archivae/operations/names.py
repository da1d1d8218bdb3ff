"""What the outputs of encode and decode are called."""

from __future__ import annotations

from collections.abc import Collection

from archivae.images import picture_ending

ARCHIVE_ENDING = ".avae"


def archive_name(name: str) -> str:
    """``a/b.jpg`` to ``a/b.jpg.avae``."""
    return name + ARCHIVE_ENDING


def decoded_name(archived: str, ending: str, *, full: bool = False) -> str:
    """The picture's name with ``ending`` in place of its own, or after it in ``full``.

    >>> decoded_name("a/b.jpg.avae", ".png"), decoded_name("a/b.jpg.avae", ".png", full=True)
    ('a/b.png', 'a/b.jpg.png')
    """
    name = archived.removesuffix(ARCHIVE_ENDING)
    return (name if full else without_ending(name)) + ending


def collision_group(archived: str) -> str:
    """What names have in common that could decode to one another's: all their picture endings taken off.

    >>> collision_group("a/b.jpg.avae"), collision_group("a/b.jpg.png.avae")
    ('a/b', 'a/b')
    """
    name = archived.removesuffix(ARCHIVE_ENDING)
    while (shorter := without_ending(name)) != name:
        name = shorter
    return name


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
