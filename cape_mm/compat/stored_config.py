"""What a checkpoint tells of its model: plain data, and only parts that are listed.

A class name is no harmless text: ``type='os.system'`` would call it, a dotted name or a
``_scope_`` imports a module, some of MMPose's classes run a config file. So of the
stored config only the model and the pipeline of the test data are looked at, and they
may name our own parts, MMPose's backbones and necks and MMCV's layers, nothing else,
and no file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from mmengine.config import Config
from mmengine.registry import Registry
from mmpose.models import backbones, necks
from mmpose.registry import MODELS, TRANSFORMS

from ..errors import CheckpointError

KEY = 'prediction_config'
"""Of the plain data in a checkpoint's ``meta``."""

NAMES = ('model', 'test_dataloader')
"""What prediction needs of a config."""

MAX_LENGTH = 1_000_000
"""Characters of a config's text; a real one has some ten thousand."""

LAYERS = frozenset(
    ('BN', 'BN1d', 'BN2d', 'SyncBN', 'MMSyncBN', 'AmpGN', 'GN', 'LN', 'LN2d', 'IN')
    + ('ReLU', 'ReLU6', 'LeakyReLU', 'PReLU', 'ELU', 'GELU', 'SiLU', 'Swish', 'Tanh')
    + ('Sigmoid', 'HSigmoid', 'HSwish', 'Conv', 'Conv1d', 'Conv2d', 'ConvWS', 'ConvAWS')
    + ('Conv2dAdaptivePadding', 'zero', 'reflect', 'replicate', 'Dropout', 'DropPath')
    + ('nearest', 'bilinear', 'pixel_shuffle', 'deconv', 'ContextBlock', 'NonLocal2d')
)
"""Of MMCV and MMPose, as norm_cfg, act_cfg, conv_cfg and the like name them."""

MODEL_PARTS = frozenset((*backbones.__all__, *necks.__all__, *LAYERS))
OWN_MODELS, OWN_TRANSFORMS = 'cape_mm.models.', 'cape_mm.datasets.transforms.'
FILE_KEYS = re.compile(r'pretrained|checkpoint|file|backend_args')
"""Keys under which parts take files, or the way to them."""
PLACE_KEYS = re.compile(r'(^|_)(path|dir|root|url|uri|prefix)s?$')
"""Keys under which a text would be a place; a number is the rate of a drop path."""
FILE_NAME = re.compile(
    r'[/\\:~]|\.(py|pyc|json|ya?ml|pth?|pkl|pickle|bin|safetensors|ckpt|npz?|txt|so)$'
)


def store_config(meta: dict, cfg: Mapping) -> None:
    """Keep what prediction needs of a config in a checkpoint's ``meta``, in place.

    That is ``model`` and ``pipeline``, without initialisation of weights. A config with
    more than plain values is not kept: the checkpoint could not be read any more.
    """
    plain = _relevant(cfg)
    with suppress(TypeError):
        json.dumps(plain)
        meta[KEY] = plain


def _relevant(cfg: Mapping) -> dict:
    pipeline = cfg.get('test_dataloader')
    for name in ('dataset', 'pipeline'):
        pipeline = pipeline.get(name) if isinstance(pipeline, Mapping) else None
    return without_initialisation(dict(model=cfg.get('model'), pipeline=pipeline))


def read_stored_config(meta: Mapping | None, source: str) -> Config | None:
    """The config for predicting with a checkpoint, None where it has none.

    Args:
        meta: the checkpoint's.
        source: where it comes from, for messages.

    Returns:
        ``model`` and ``test_dataloader.dataset.pipeline``.

    Raises:
        CheckpointError: it holds more than plain values, names a part that is not
            listed, another scope or a file.
    """
    meta = meta or {}
    if not (meta.get(KEY) or meta.get('cfg')):
        return None
    try:
        stored = meta.get(KEY) or _relevant(parse_text(meta['cfg'], NAMES))
        model, pipeline = stored['model'], stored['pipeline']
        for problem in (
            *find_problems(model, MODELS, MODEL_PARTS, OWN_MODELS),
            *find_problems(pipeline, TRANSFORMS, frozenset(), OWN_TRANSFORMS),
        ):
            raise ValueError(problem)
        loader = dict(dataset=dict(pipeline=pipeline))
        return Config(dict(model=model, test_dataloader=loader))
    except (ValueError, TypeError, LookupError, AttributeError, SyntaxError) as error:
        reason = str(error)
    except (RecursionError, MemoryError):
        reason = 'it is nested too deeply'
    raise CheckpointError(
        f'{source}: the config stored in it is not used, because a file must not '
        f'choose what is run ({reason}). Name a config file of your own.'
    )


def find_problems(
    value: object, registry: Registry, listed: frozenset[str], own: str
) -> Iterator[str]:
    """Everything that a stored config must not hold.

    Args:
        value: of the config.
        registry: that builds it.
        listed: names of others' parts that are allowed.
        own: package whose registered classes are allowed.
    """
    if isinstance(value, Mapping):
        kind = value.get('type')
        if kind is not None and kind not in listed:
            found = registry.module_dict.get(kind)
            if found is None or not found.__module__.startswith(own):
                yield f'it names {kind!r}, which is none of the listed parts'
        for key, part in value.items():
            is_place = isinstance(part, str) and PLACE_KEYS.search(str(key))
            is_file = part and FILE_KEYS.search(str(key))
            # MMEngine's own keys begin so: the scope is one of them
            if str(key).startswith('_') or is_place or is_file:
                yield f'it has {key}={part!r}'
            yield from find_problems(part, registry, listed, own)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from find_problems(part, registry, listed, own)
    elif isinstance(value, str) and FILE_NAME.search(value):
        yield f'it names a file, {value!r}'
    elif not (value is None or isinstance(value, (str, int, float))):
        yield f'it holds a {type(value).__name__}'


def without_initialisation(component: object) -> object:
    """A copy of a config with None for every ``init_cfg``.

    It may name files and addresses, and says nothing about a model whose weights are
    all in a checkpoint.
    """
    if isinstance(component, Mapping):
        return {
            key: None if key == 'init_cfg' else without_initialisation(part)
            for key, part in component.items()
        }
    if isinstance(component, (list, tuple)):
        return type(component)(map(without_initialisation, component))
    return component


def parse_text(text: str, names: Collection[str]) -> dict:
    """Top-level keys of a config as MMEngine itself stores it, never run.

    Raises:
        ValueError: they hold more than plain values.
        SyntaxError: it is no Python.
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise ValueError('it is no text of a config')
    lines = [line for line in ast.parse(text).body if isinstance(line, ast.Assign)]
    found = {getattr(line.targets[0], 'id', None): line.value for line in lines}
    literals = _Literals()
    return {
        name: ast.literal_eval(literals.visit(value))
        for name, value in found.items()
        if name in names
    }


class _Literals(ast.NodeTransformer):
    """``dict(a=1)`` and ``dict({'a b': 1})`` become ``{'a': 1}`` and ``{'a b': 1}``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: N802
        self.generic_visit(node)
        given = node.args[0] if node.args else ast.Dict([], [])
        if getattr(node.func, 'id', None) != 'dict' or not isinstance(given, ast.Dict):
            raise ValueError(f'it has a call in line {node.lineno}')
        keys = [keyword.arg and ast.Constant(keyword.arg) for keyword in node.keywords]
        values = [keyword.value for keyword in node.keywords]
        return ast.Dict(given.keys + keys, given.values + values)
