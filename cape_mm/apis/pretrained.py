"""Models whose weights come from elsewhere than a config says."""

from __future__ import annotations

from collections.abc import Mapping


def drop_pretrained(component: object, name: str = 'model') -> list[str]:
    """Take ``init_cfg`` with a checkpoint out of a config, in place.

    Returns:
        Dotted names of the components that had one.
    """
    if isinstance(component, (list, tuple)):
        parts = {str(index): part for index, part in enumerate(component)}
    elif isinstance(component, Mapping):
        parts = dict(component)
    else:
        return []
    found = []
    for key, part in parts.items():
        if key == 'init_cfg':
            entries = part if isinstance(part, (list, tuple)) else [part]
            if any((entry or {}).get('type') == 'Pretrained' for entry in entries):
                component['init_cfg'] = None
                found.append(name)
        else:
            found += drop_pretrained(part, f'{name}.{key}')
    return found
