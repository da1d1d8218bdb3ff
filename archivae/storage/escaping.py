"""Names that no archive could keep as they are, written so that every storage keeps them, and back.

A character that would break a line, a terminal or a path on some system, or that is no Unicode, becomes ``%{...}`` with its
code point in hexadecimal: ``a\\nb.jpg`` is archived as ``a%{0a}b.jpg``. A name that looks escaped is escaped itself, so that
two names never become one. All other names stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# C0, DEL and C1 controls, backslashes, and the lone surrogates Python puts for bytes of file names that are no UTF-8.
_UNSAFE = r"\x00-\x1f\x7f-\x9f\\"
_SURROGATES = r"\ud800-\udfff"
_ESCAPE = re.compile(r"%\{([0-9a-f]{2,6})\}")
_LOOKS_ESCAPED = r"%(?=\{[0-9a-f]{2,6}\})"
_TO_ESCAPE = re.compile(rf"[{_UNSAFE}{_SURROGATES}]|{_LOOKS_ESCAPED}")
_TO_SPELL = re.compile(rf"[{_SURROGATES}]|{_LOOKS_ESCAPED}")
_DRIVE = re.compile(r"([A-Za-z]):")  # at its begin, a name would be a Windows drive's


def escape_name(name: str) -> str:
    """A relative name as it is archived: ordinary ones as they are, `unescape_name` gives all back.

    >>> escape_name("cats/1.jpg"), escape_name("a\\tb\\udcff.jpg"), escape_name("C:colon.jpg"), escape_name("100%{25}.jpg")
    ('cats/1.jpg', 'a%{09}b%{dcff}.jpg', 'C%{3a}colon.jpg', '100%{25}{25}.jpg')
    """
    escaped = _TO_ESCAPE.sub(_escape, name)
    return _DRIVE.sub(r"\1%{3a}", escaped, count=1) if _DRIVE.match(escaped) else escaped


def unescape_name(archived: str) -> str:
    """The name that `escape_name` was given. A text that it never gives, of older archives or a hostile one, stays as it is.

    >>> unescape_name("a%{0a}b.jpg"), unescape_name("%{2e}%{2e}/a.jpg")
    ('a\\nb.jpg', '%{2e}%{2e}/a.jpg')
    """
    return _undone(archived, escape_name)


def spell_text(text: str) -> str:
    """``text`` as Unicode, for tables that hold nothing else: only what is no Unicode in it is escaped."""
    return _TO_SPELL.sub(_escape, text)


def unspell_text(text: str) -> str:
    """The text that `spell_text` was given; one that it never gives stays as it is."""
    return _undone(text, spell_text)


def _escape(found: re.Match[str]) -> str:
    return f"%{{{ord(found[0]):02x}}}"


def _undone(text: str, escape: Callable[[str], str]) -> str:
    if "%{" not in text:
        return text
    try:
        plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    except (ValueError, OverflowError):  # beyond Unicode
        return text
    return plain if escape(plain) == text else text
