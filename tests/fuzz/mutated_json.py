"""Annotation files that something went wrong with, from a seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 10**400, 0.5, -1e308, 1e-320),
    *(float('nan'), float('inf'), '', 'x', '\0', '../../x.jpg', '/etc/x', '\ud800'),
    *([], [[]], {}, [None], [1, 2, 3], dict(id=1), 'NaN', '1'),
)


def mutate(content: dict, seed: int) -> bytes:
    """One to four mutations of a JSON object, and of its bytes."""
    rng = random.Random(seed)
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 4)):
        rng.choice((delete, duplicate, replace, replace, swap))(content, rng)
    data = json.dumps(content).encode('utf-8', 'surrogatepass')
    return rng.choice((keep,) * 6 + (truncate, flip))(data, rng)


def pick(content: dict, rng: random.Random) -> tuple[Any, Any]:
    """A place, mostly deep down: what is damaged high up is soon refused."""
    node, key = content, rng.choice(list(content))
    while isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.95:
        node = node[key]
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
    return node, key


def delete(content: dict, rng: random.Random) -> None:
    node, key = pick(content, rng)
    if len(content) > 1 or node is not content:
        del node[key]


def duplicate(content: dict, rng: random.Random) -> None:
    node, key = pick(content, rng)
    twin = copy.deepcopy(node[key])
    if isinstance(node, list):
        node.insert(rng.randint(0, len(node)), twin)
    else:
        node[f'{key}_2'] = twin


def replace(content: dict, rng: random.Random) -> None:
    node, key = pick(content, rng)
    node[key] = copy.deepcopy(rng.choice(STRANGE))


def swap(content: dict, rng: random.Random) -> None:
    """Put one value where another belongs."""
    node, key = pick(content, rng)
    other, place = pick(content, rng)
    if node is not content and other is not content:
        node[key] = copy.deepcopy(other[place])


def keep(data: bytes, rng: random.Random) -> bytes:
    return data


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Change a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)
