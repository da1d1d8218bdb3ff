"""Texts from outside, bounded before they are parsed and harmless when they are shown."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

LARGEST_JSON = 16 << 20
"""Bytes of a JSON document that nothing else bounds."""
_MOST_VALUES = 1 << 19  # lists and objects in a document that has few bytes for each
_BYTES_A_VALUE = 64  # of the longer documents that we write, at the least
MOST_SHOWN = 2000
"""Characters of a text that are shown; an error message quotes no more of what is wrong."""

# Control, format (bidirectional and invisible), surrogate, private and unassigned characters; line and paragraph ends.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SECRET_KEYS = (
    "x-goog-signature|x-goog-credential|googleaccessid|signature|x-amz-signature|x-amz-credential|x-amz-security-token|"
    "awsaccesskeyid|access_token|refresh_token|id_token|token|sig|se?cret|client_secret|password|passwd|api_?key|key"
)
_SECRETS = (
    # userinfo in a URI; the user's part alone may be a token, too
    (re.compile(r"(?<=://)[^/\s@?#'\"]+@"), "***@"),
    (re.compile(rf"(?i)(?<=[?&;])({_SECRET_KEYS})=[^&;\s'\"<>)]*"), r"\1=***"),
    # headers, as exceptions and verbose logs quote them: {'Authorization': 'Bearer ya29...'}, Authorization: Bearer ...
    (
        re.compile(
            r"(?i)((?:proxy-)?authorization|x-amz-security-token|x-goog-iam-authorization-token|x-vault-token"
            r"|(?:set-)?cookie)(['\"]?\s*[:=]\s*)(b?'[^']*'|b?\"[^\"]*\"|[^'\"\r\n,}]+)"
        ),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (
        re.compile(
            r"(?i)(['\"]?\b(?:access_token|refresh_token|id_token|client_secret|secret_access_key|aws_secret_access_key|"
            r"aws_session_token|session_token|password|private_key|api_key)\b['\"]?\s*[:=]\s*)"
            r"('[^']*'|\"[^\"]*\"|[^\s,;&}'\"]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"\bya29\.[A-Za-z0-9._-]+"), "***"),  # what Google's access tokens begin with
)


def load_json(text: bytes | str, *, largest: int = LARGEST_JSON) -> Any:
    """`json.loads` of at most ``largest`` bytes or characters. ValueError for anything that is no such document.

    It is one, too, if it has very many small lists or objects, which take dozens of times as much memory as text.
    """
    if len(text) > largest:
        raise ValueError(f"JSON of {len(text):,} bytes, more than {largest:,}")
    values = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if values > max(_MOST_VALUES, len(text) // _BYTES_A_VALUE):
        raise ValueError(f"JSON of {values:,} lists and objects")
    try:
        return json.loads(text)
    except RecursionError:  # from None: its trace has a line for each level
        raise ValueError("JSON that is nested too deeply") from None


def shown(text: object, most: int = MOST_SHOWN) -> str:
    """``text`` from outside as it may go to a terminal, a log or an error: one line, of what can be seen, without secrets.

    Control, bidirectional and other invisible characters, line ends and lone surrogates are spelled out as in Python;
    everything else, backslashes too, is as it was. Tokens, signatures and passwords become ``***``.

    >>> shown("a\\nb"), shown("photo\\u202egpj.exe"), shown("https://me:pass@host/x?X-Goog-Signature=12ab")
    ('a\\\\nb', 'photo\\\\u202egpj.exe', 'https://***@host/x?X-Goog-Signature=***')
    """
    whole = without_secrets(str(text))
    cut = whole if len(whole) <= most else f"{whole[: most - 3]}..."
    return cut if cut.isprintable() else "".join(map(_visible, cut))


def shown_lines(text: object, most: int = 1 << 16) -> str:
    """`shown` of a text of ours that has lines, and names from outside in it."""
    return "\n".join(shown(line, most) for line in str(text).split("\n"))


def without_secrets(text: str) -> str:
    """``text`` with what opens doors replaced by ``***``: userinfo of URIs, signatures, tokens, ``Authorization``.

    >>> without_secrets("cannot GET https://h/x?X-Amz-Signature=ab&x=1: {'Authorization': 'Bearer abc'}")
    "cannot GET https://h/x?X-Amz-Signature=***&x=1: {'Authorization': ***}"
    """
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def shown_cause(error: BaseException) -> BaseException | None:
    """``error`` as the cause of another; None where its text, or that of what it was caused by, holds a secret.

    A trace shows the texts of all causes.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if any(without_secrets(text) != text for text in (str(cause), repr(cause))):
            return None
        cause = cause.__cause__ or cause.__context__
    return error


def _visible(character: str) -> str:
    if character == " " or unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    return character.encode("unicode_escape").decode("ascii")
