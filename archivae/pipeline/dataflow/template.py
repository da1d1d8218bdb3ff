"""The Flex Template's side of the options: its ``metadata.json``, and words as the template's launcher gives them.

``python -m archivae.pipeline.dataflow.template > deploy/metadata.json`` writes the file; a test keeps the two in step.
Source of the fields: "Configure Flex Templates", section "Metadata parameters", cloud.google.com/dataflow/docs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from archivae.pipeline.options import ArchivaeOptions
from archivae.pipeline.showing import say

# Beam's option, here because `gcloud dataflow flex-template run` has no flag for it: Google's sample gives it as a parameter.
_IMAGE = {
    "name": "sdk_container_image",
    "label": "Worker image",
    "helpText": "the image of deploy/Dockerfile",
    "isOptional": True,
    "paramType": "TEXT",
}
_PAIR = 2
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


def metadata() -> dict[str, Any]:
    """The content of ``metadata.json``: one parameter an option, in the order of the options."""
    return {
        "name": "ArchiVAE",
        "description": "Pictures in a bucket into verified .avae files through a learned autoencoder, and back.",
        "parameters": [*(_parameter(action) for action in _actions()), _IMAGE],
    }


def plain_flags(argv: Sequence[str]) -> list[str]:
    """``argv`` as people would write it: a template's parameters all have values, and only one.

    >>> plain_flags(["--overwrite=true", "--lossless=false", "--quality=60", "--interpolate=gs://b/1.png,gs://b/2.png"])
    ['--overwrite', '--quality=60', '--interpolate', 'gs://b/1.png', 'gs://b/2.png']
    """
    flags = {word for action in _actions() if _is_flag(action) for word in action.option_strings}
    pairs = {word for action in _actions() if action.nargs == _PAIR for word in action.option_strings}
    plain = []
    for word in argv:
        name, given, value = word.partition("=")
        if name in pairs and given:
            plain += [name, *value.split(",", 1)]
        elif name not in flags or not given or value.lower() not in _TRUE + _FALSE:
            plain.append(word)
        elif value.lower() in _TRUE:
            plain.append(name)
    return plain


def _actions() -> list[argparse.Action]:
    parser = argparse.ArgumentParser(add_help=False)
    ArchivaeOptions._add_argparse_args(parser)
    return parser._actions


def _parameter(action: argparse.Action) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": action.dest,
        "label": action.dest.replace("_", " ").capitalize(),
        "helpText": (action.help or "").replace("%%", "%") + ("; two, with a comma" if action.nargs == _PAIR else ""),
        "isOptional": True,  # operation, input and output, or a policy: which, the program checks
    }
    if _is_flag(action):
        return parameter | {"paramType": "BOOLEAN"}
    if action.choices:
        return parameter | {"paramType": "ENUM", "enumOptions": [{"value": str(choice)} for choice in action.choices]}
    return parameter | {"paramType": "NUMBER" if action.type in (int, float) else "TEXT"}


def _is_flag(action: argparse.Action) -> bool:
    return action.nargs == 0


if __name__ == "__main__":
    say(json.dumps(metadata(), indent=2))
