"""YAML from strangers and for people: safe loaders only, JSON's values only, bounded, no key twice."""

from __future__ import annotations

import json
from typing import IO, Any

import yaml

from app.cli.refusal import Refused
from app.core.errors import RollcallError
from app.core.json_input import parse_json

MAX_FILE = 5_000_000
MAX_NODES = 300_000
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """2023-06-01 is a text, such as a version."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def read_yaml(source: IO[bytes]) -> Any:
    """JSON's values in the file. Raises Refused with one sentence."""
    name = getattr(source, "name", "the file")
    raw = source.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise Refused(f"{name} has more than {MAX_FILE} bytes.")
    try:
        loader = _Loader(raw.decode("utf-8"))
        node = loader.get_single_node()
        if node is None:
            raise Refused(f"{name} is empty.")
        _size(node, {})
        return parse_json(json.dumps(loader.construct_document(node), allow_nan=False).encode())
    except UnicodeDecodeError:
        raise Refused(f"{name} is no text in UTF-8.") from None
    except yaml.YAMLError as error:
        raise Refused(f"{name} is no YAML: {_why(error)}.") from None
    except RecursionError:
        raise Refused(f"{name} is nested too deep.") from None
    except (TypeError, ValueError):
        raise Refused(f"{name} holds a value that JSON does not know, such as a date, a set or .inf.") from None
    except RollcallError as error:
        raise Refused(f"{name}: {error.message}") from None


def write_yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes there are once aliases stand for what they mean; counted without writing them out."""
    if id(node) in known:
        if not known[id(node)]:
            raise Refused("The file holds an alias inside of what it stands for.")
        return known[id(node)]
    known[id(node)] = 0
    size = 1 + sum(_size(child, known) for child in _children(node))
    if size > MAX_NODES:
        raise Refused(f"The file holds more than {MAX_NODES} values.")
    known[id(node)] = size
    return size


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        if len(keys) != len(set(keys)):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise Refused(f"The key {twice!r} stands twice in the block at line {node.start_mark.line + 1}.")
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _why(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "it cannot be read"
    return f"{what} at line {mark.line + 1}, column {mark.column + 1}" if mark else str(what)
