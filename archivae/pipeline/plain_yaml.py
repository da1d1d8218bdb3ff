"""YAML files of users: plain values, no aliases, and short words about what is wrong."""

from __future__ import annotations

from typing import Any

import yaml

from archivae.errors import UsageError
from archivae.untrusted import shown

_MOST_QUOTED = 200
_DEEPEST = 16
_LONGEST_NUMBER = 100  # characters; Python can't write out numbers of some thousand digits


class _PlainLoader(yaml.SafeLoader):
    """Without aliases, a few lines of which spell out to gigabytes, and without depth, which makes it slow.

    Of two equal keys none silently wins.
    """

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.YAMLError(f"an alias (*{event.anchor}): write out what it stands for")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"lists or words nested over {_DEEPEST} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > _LONGEST_NUMBER:
            raise yaml.YAMLError(f"a number of {len(node.value):,} characters")
        return int(super().construct_yaml_int(node))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_yaml_int)


def load_yaml(data: bytes, uri: str) -> Any:
    """What a YAML file holds. UsageError for what is none, has aliases or a key twice, or is nested too deeply."""
    try:
        return yaml.load(data, _PlainLoader)
    except RecursionError:
        raise UsageError(f"expected {shown(repr(uri))} to be YAML, found it nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise UsageError(f"expected {shown(repr(uri))} to be YAML, found {found_text(error)}") from error


def found_value(value: object) -> str:
    """A value as an error quotes it: on one line, and cut where it is long."""
    return shown(repr(value), _MOST_QUOTED)


def found_text(error: Exception) -> str:
    """The same of an error of the library."""
    return shown(" ".join(str(error).split()), _MOST_QUOTED)
