"""The config that MMEngine writes into a checkpoint, read without running it.

MMEngine keeps ``cfg.pretty_text``: a Python file of assignments. Loaded as a config,
whatever it says would be executed. Here it is only parsed: constants, lists, tuples,
dictionaries and ``dict(...)`` are understood, anything else is refused. Class names are
no harmless text either (``type='os.system'`` would call it), so only classes that are
registered already are let through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from mmengine.config import Config
from mmengine.registry import Registry
from mmpose.registry import MODELS, TRANSFORMS

from ..errors import CheckpointError

MAX_LENGTH = 1_000_000
"""Characters; a real config has some ten thousand."""

NUMBERS = {'inf': float('inf'), 'nan': float('nan')}


class _NotPlain(ValueError):
    """The text holds more than values."""


def parse_config_text(text: str, source: str) -> Config:
    """Read the text of a config that consists of plain values.

    Args:
        text: lines such as ``model = dict(type='CAPE', ...)``.
        source: where it comes from, for messages.

    Raises:
        CheckpointError: it is no such text.
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise CheckpointError(f'{source}: the config stored in it is no config text')
    try:
        return Config(dict(_assignments(ast.parse(text))))
    except (_NotPlain, SyntaxError, ValueError, KeyError) as error:
        raise CheckpointError(
            f'{source}: the config stored in it is not read, because it holds more '
            f'than plain values ({error}), and running it could do anything. Name a '
            f'config file of your own.'
        ) from error
    except (RecursionError, MemoryError) as error:
        raise CheckpointError(
            f'{source}: the config stored in it is nested too deeply. Name a config '
            f'file of your own.'
        ) from error


def _assignments(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for statement in tree.body:
        is_plain = (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
            and not statement.targets[0].id.startswith('_')
        )
        if not is_plain:
            raise _NotPlain(f'line {statement.lineno} is no assignment of a value')
        yield statement.targets[0].id, _value(statement.value)


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Set):
        return {_value(item) for item in node.elts}
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, ast.Name) and node.id in NUMBERS:
        return NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _negative(_value(node.operand), node.lineno)
    if isinstance(node, ast.Call):
        return _dict_call(node)
    raise _NotPlain(f'{type(node).__name__} in line {node.lineno}')


def _negative(value: object, line: int) -> float:
    if type(value) not in (int, float):
        raise _NotPlain(f'a minus before no number in line {line}')
    return -value


def _dict_call(node: ast.Call) -> dict:
    is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
    has_literals = all(isinstance(part, ast.Dict) for part in node.args[:1])
    if not is_dict or not has_literals or len(node.args) > 1:
        raise _NotPlain(f'a call in line {node.lineno}')
    if any(keyword.arg is None for keyword in node.keywords):
        raise _NotPlain(f'an unpacked value in line {node.lineno}')
    values = {keyword.arg: _value(keyword.value) for keyword in node.keywords}
    # MMEngine writes dict({'some key': ...}) where a key is no name
    return _value(node.args[0]) | values if node.args else values


def check_types(component: object, registry: Registry, source: str) -> None:
    """Refuse a component whose classes are not all registered by name.

    Args:
        component: config of a model or of a pipeline.
        registry: ``MODELS`` or ``TRANSFORMS``.
        source: for messages.

    Raises:
        CheckpointError: names a class that is not registered.
    """
    known = registered_names(registry)
    for kind in _types_in(component):
        name = (
            kind.split('.', 1)[-1]
            if kind.startswith(('mmpose.', 'mmengine.'))
            else kind
        )
        if name not in known:
            raise CheckpointError(
                f'{source}: the config stored in it names {kind!r}, which is not '
                f'registered in {registry.name}. If it is a module of your own, import '
                f'it before, or name the config file.'
            )


def registered_names(registry: Registry) -> set[str]:
    """Names in a registry and its parents, once their own modules are imported."""
    names: set[str] = set()
    node: Registry | None = registry
    while node is not None:
        node.import_from_location()  # registers what belongs to it, on first use
        names |= set(node.module_dict)
        node = node.parent
    return names


def _types_in(component: object) -> Iterator[str]:
    if isinstance(component, Mapping):
        if 'type' in component:
            yield str(component['type'])
        for part in component.values():
            yield from _types_in(part)
    elif isinstance(component, (list, tuple)):
        for part in component:
            yield from _types_in(part)


def forget_initialisation(component: object) -> None:
    """Set every ``init_cfg`` of a model's config to None, in place.

    It may name files and addresses, and says nothing about a model whose weights are
    all in the checkpoint.
    """
    if isinstance(component, (list, tuple)):
        parts: Iterable = component
    elif isinstance(component, dict):
        if 'init_cfg' in component:
            component['init_cfg'] = None
        parts = component.values()
    else:
        return
    for part in parts:
        forget_initialisation(part)


def check_stored_config(cfg: Config, source: str) -> None:
    """Let only registered classes through, see :func:`check_types`.

    Initialisation of weights is taken out of the model's config, in place.

    Raises:
        CheckpointError: the model or the pipeline names another one.
    """
    forget_initialisation(cfg.get('model'))
    check_types(cfg.get('model'), MODELS, source)
    loader = cfg.get('test_dataloader') or {}
    check_types((loader.get('dataset') or {}).get('pipeline'), TRANSFORMS, source)
