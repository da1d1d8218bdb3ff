"""Globs that a user gives: ``*`` and ``?`` stay inside a folder, ``**`` crosses folders, ``[a-z]`` and ``[!a-z]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glob:
    """A glob cut at the last ``/`` before its first wildcard.

    ``root``: the literal folder before it, closing slash included (``""`` for a relative glob). ``names`` matches
    names relative to ``root``. ``start``: what all of these begin with. ``depth``: the most parts they have, None
    if unbounded.
    """

    root: str
    names: re.Pattern[str]
    start: str
    depth: int | None


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    regex: str
    wild: bool


def parse_glob(pattern: str) -> Glob | None:
    """The glob ``pattern`` spells; None if it has no wildcard. Hidden files match as any others do."""
    first = next((token.start for token in _tokens(pattern) if token.wild), None)
    if first is None:
        return None
    cut = pattern.rfind("/", 0, first) + 1
    rest = pattern[cut:]
    return Glob(
        root=pattern[:cut],
        names=re.compile(translate(rest)),
        start=pattern[cut:first],
        depth=None if "**" in rest else rest.count("/") + 1,
    )


def translate(pattern: str) -> str:
    """A regular expression that matches exactly the whole names that ``pattern`` does."""
    return "(?s:" + "".join(token.regex for token in _tokens(pattern)) + r")\Z"


def _tokens(pattern: str) -> Iterator[_Token]:
    at = 0
    while at < len(pattern):
        regex, end = _token(pattern, at)
        yield _Token(at, regex, wild=pattern[at] in "*?" or end > at + 1)
        at = end


def _token(pattern: str, at: int) -> tuple[str, int]:
    """The regular expression of the token at ``at``, and where the next one begins."""
    if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
        return "(?:.*/)?", at + 3  # whole folders, none included: a/**/b matches a/b
    if pattern.startswith("**", at):
        return ".*", at + 2
    if pattern[at] == "*":
        return "[^/]*", at + 1
    if pattern[at] == "?":
        return "[^/]", at + 1
    # A ']' right after '[' or '[!' is a member, so the closing one is sought from the character after it.
    negated = pattern.startswith("[!", at)
    first = at + 1 + negated
    close = pattern.find("]", first + 1)
    if pattern[at] == "[" and close >= 0 and "/" not in pattern[first:close]:
        return _members(pattern[first:close], negated), close + 1
    return re.escape(pattern[at]), at + 1


def _members(members: str, negated: bool) -> str:
    """One character out of a bracket's ``members`` (or none of them), never a ``/``."""
    items, at = [], 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            low, high = members[at], members[at + 2]
            items += [f"{re.escape(low)}-{re.escape(high)}"] if low <= high else []
            at += 3
        else:
            items.append(re.escape(members[at]))
            at += 1
    if not items:  # only ranges such as z-a, which hold nothing
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{''.join(items)}]"
