"""Durations, sizes and shares as people write them: ``90d``, ``256MiB``, ``1%``."""

from __future__ import annotations

import re
from fractions import Fraction

from archivae.errors import UsageError
from archivae.transforms.failures import MaxFailures

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "b": 1} | {
    f"{letter}{middle}b": base**power
    for power, letter in enumerate("kmgt", start=1)
    for middle, base in (("", 1000), ("i", 1024))
}
_FAILURES = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(%?)")
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)")


def seconds_of(text: object, word: str) -> float:
    """Seconds in ``90d``, ``12h``, ...; 0 alone needs no unit. UsageError names the ``word`` that it was given for.

    >>> seconds_of("90d", "older_than"), seconds_of(0, "grace")
    (7776000.0, 0.0)
    """
    if text == 0 and not isinstance(text, bool):
        return 0.0
    number, unit = _split(text, word, "a duration such as 90d, 12h or 30m")
    if unit not in _SECONDS:
        raise UsageError(f"expected {word} to end in one of {', '.join(_SECONDS)}, found {text!r}")
    return number * _SECONDS[unit]


def bytes_of(text: object, word: str) -> int:
    """Bytes, at least 1, in ``256MiB``, ``1.5 TB``, or a plain number; small letters do as well as capitals.

    >>> bytes_of("256MiB", "shard_size"), bytes_of("1 gb", "shard_size"), bytes_of(1000, "max_bytes")
    (268435456, 1000000000, 1000)
    """
    expected = "a size such as 256MiB or 2TB"
    number, unit = _split(text, word, expected)
    count = int(number * _BYTES.get(unit.lower(), 0))
    if count < 1:
        raise UsageError(f"expected {word} to be {expected}, found {text!r}")
    return count


def share_of(text: str, word: str) -> float:
    """A share, as a number over 0 and up to 1.

    >>> share_of("2.5%", "--sample")
    0.025
    """
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1 or not text.endswith("%"):
        raise UsageError(f"expected {word} to be a share such as 1%, at most 100%, found {text!r}")
    return share


def failures_of(text: str, word: str) -> MaxFailures:
    """How many objects may fail: a number, or a share of them as a percentage; 0 as well.

    >>> failures_of("20", "--max-failures").of(1000), failures_of("2.5%", "--max-failures").of(1000)
    (20, 25)
    """
    found = _FAILURES.fullmatch(text.strip())
    if found is None or (found[2] and Fraction(found[1]) > 100) or (not found[2] and "." in found[1]):
        raise UsageError(f"expected {word} to be a number such as 20, or a share such as 5%, found {text!r}")
    return MaxFailures(Fraction(found[1]), percent=bool(found[2]))


def _split(text: object, word: str, expected: str) -> tuple[float, str]:
    found = None if isinstance(text, bool) else _QUANTITY.fullmatch(str(text).strip())
    if found is None:
        raise UsageError(f"expected {word} to be {expected}, found {text!r}")
    return float(found[1]), found[2]
