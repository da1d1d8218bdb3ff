"""Durations and sizes as people write them in a policy: ``90d``, ``256MiB``."""

from __future__ import annotations

import re

from archivae.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "B": 1, **{f"{prefix}iB": 1 << 10 * (n + 1) for n, prefix in enumerate("KMGT")}}
_BYTES |= {f"{prefix}B": 1000 ** (n + 1) for n, prefix in enumerate(("k", "M", "G", "T"))}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def seconds_of(text: object, word: str) -> float:
    """Seconds in ``90d``, ``12h``, ...; 0 alone needs no unit. UsageError names the ``word`` of the policy.

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
    """Bytes in ``256MiB``, ``1.5TB``, or a plain number.

    >>> bytes_of("256MiB", "shard_size"), bytes_of(1000, "max_bytes")
    (268435456, 1000)
    """
    number, unit = _split(text, word, "a size such as 256MiB or 2TB")
    if unit not in _BYTES:
        raise UsageError(f"expected {word} in one of {', '.join(filter(None, _BYTES))}, found {text!r}")
    return int(number * _BYTES[unit])


def _split(text: object, word: str, expected: str) -> tuple[float, str]:
    found = None if isinstance(text, bool) else _QUANTITY.fullmatch(str(text).strip())
    if found is None:
        raise UsageError(f"expected {word} to be {expected}, found {text!r}")
    return float(found[1]), found[2]
