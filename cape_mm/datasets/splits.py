"""Which files and which categories belong to a split.

Convention:
    - a split's files are named by a pattern with ``{split}`` and ``{subset}``; a name
      without these is taken as it is
    - MP-100 has five splits of 70 / 10 / 20 categories; category ids are the same in
      all of its files

Cross-super-category evaluation (Xu et al., *Pose for Everything*, ECCV 2022, table 3,
and its successors) trains on all of MP-100 but one of four groups and tests on that
group. The authors have not published which category belongs where, so this table is
ours; clothes (13 categories) and hand (1) belong to no group and are always trained on.

========= ==========================================================================
body      bodies of people and animals, insects included: 46 categories
face      faces of people (ids 18 and 40) and animals: 32 categories
vehicle   car, bus, suv
furniture swivelchair, chair, sofa, bed, table
========= ==========================================================================

The image folder is no guide: that of category 18, a human face, is ``amur_tiger_body``.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from ..errors import ConfigError

SUBSETS = ('train', 'val', 'test')
NUM_SPLITS = 5
MP100_PATTERN = 'annotations/mp100_split{split}_{subset}.json'

CATEGORY_GROUPS: dict[str, tuple[int, ...]] = dict(
    body=(
        *(2, 3, 5, 6, 9, 14, 15, 16, 20, 21, 26, 27, 28, 29, 30, 31, 33, 35, 41, 42),
        *(43, 44, 46, 50, 52, 53, 54, 55, 58, 59, 66, 68, 70, 71, 72, 73, 76, 85, 86),
        *(87, 88, 90, 91, 92, 95, 100),
    ),
    face=(
        *(4, 7, 10, 12, 13, 18, 19, 22, 23, 24, 34, 36, 37, 40, 47, 48, 56, 57, 61),
        *(63, 65, 69, 74, 77, 79, 81, 82, 89, 93, 94, 96, 99),
    ),
    vehicle=(32, 38, 51),
    furniture=(39, 45, 49, 84, 98),
)
"""MP-100's category ids by group."""


def split_files(
    ann_file: str | Sequence[str] = '',
    split: int | None = None,
    subset: str | Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Names of the annotation files that a data set's arguments ask for.

    Args:
        ann_file: names or patterns; empty is MP-100's pattern.
        split: fills ``{split}``.
        subset: fills ``{subset}``; several give one file each.

    Returns:
        The names, at least one, without repetition.

    Raises:
        ConfigError: a pattern lacks its split or subset, or one of these does not
            exist.
    """
    patterns = (ann_file,) if isinstance(ann_file, str) else tuple(ann_file)
    if not any(patterns):
        if split is None or subset is None:
            raise ConfigError(
                'a data set needs ann_file, or split (1 to 5) and subset (train, val '
                f'or test) of MP-100; got split={split!r}, subset={subset!r}'
            )
        patterns = (MP100_PATTERN,)
    subsets = (subset,) if isinstance(subset, str) else tuple(subset or ())
    _check_values(split, subsets, is_mp100=MP100_PATTERN in patterns)
    names = [
        name for pattern in patterns for name in _fill_pattern(pattern, split, subsets)
    ]
    return tuple(dict.fromkeys(names))


def files_of_config(dataset: Mapping) -> tuple[str, ...]:
    """:func:`split_files` of a data set's config, ``()`` where it names none."""
    values = [dataset.get(key) for key in ('ann_file', 'split', 'subset')]
    if not any(values):
        return ()
    return split_files(values[0] or '', *values[1:])


def uses_split(dataset: Mapping) -> bool:
    """Whether another ``split`` changes which files a data set's config names."""
    ann_file = dataset.get('ann_file') or ()
    names = (ann_file,) if isinstance(ann_file, str) else tuple(ann_file)
    if not names:
        return dataset.get('subset') is not None
    return any('{split}' in name for name in names)


def read_category_choice(
    choice: str | Sequence[int] | None, argument: str
) -> frozenset[int | str] | None:
    """Categories of a group, or those of a list of ids and names; None remains None.

    Args:
        choice: key of :data:`CATEGORY_GROUPS`, category ids and names, or None.
        argument: name of the argument, for the message.

    Raises:
        ConfigError: the group does not exist, or the list holds neither ids nor names.
    """
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in CATEGORY_GROUPS:
            raise ConfigError(
                f'{argument}={choice!r}: the groups are '
                f'{", ".join(CATEGORY_GROUPS)}; other choices are lists of category '
                f'ids or names'
            )
        return frozenset(CATEGORY_GROUPS[choice])
    wanted = tuple(choice)
    if not wanted or any(type(one) not in (int, str) for one in wanted):
        raise ConfigError(
            f'{argument}={choice!r}: a group ({", ".join(CATEGORY_GROUPS)}) or a list '
            f'of category ids or names is expected'
        )
    return frozenset(wanted)


def find_category_ids(
    choice: Collection[int | str], names: Mapping[int, str], source: str
) -> set[int]:
    """Ids of the categories that a choice names.

    Args:
        choice: ids, which need not exist, and names.
        names: category names by id.
        source: annotation files, for the message.

    Raises:
        ConfigError: no category has such a name, or several have.
    """
    found = {one for one in choice if isinstance(one, int)}
    for name in sorted(one for one in choice if isinstance(one, str)):
        ids = [key for key, known in names.items() if known == name]
        if len(ids) > 1:
            raise ConfigError(
                f'{source}: {len(ids)} categories are called {name!r}; choose by id: '
                f'{", ".join(map(str, ids))}'
            )
        if not ids:
            near = difflib.get_close_matches(name, names.values(), n=3, cutoff=0.5)
            shown = near or sorted(names.values())[:10]
            raise ConfigError(
                f'{source}: no category is called {name!r}; '
                f'{"the nearest names are" if near else "there are, among others,"} '
                f'{", ".join(shown)}'
            )
        found.update(ids)
    return found


def _check_values(split: int | None, subsets: tuple[str, ...], is_mp100: bool) -> None:
    unknown = [subset for subset in subsets if subset not in SUBSETS]
    if unknown:
        raise ConfigError(
            f'subset={unknown[0]!r} does not exist: {", ".join(SUBSETS)} do'
        )
    if split is None:
        return
    highest = NUM_SPLITS if is_mp100 else None
    if type(split) is not int or split < 1 or (highest and split > highest):
        allowed = f'1 to {highest}' if highest else 'positive integers'
        raise ConfigError(f'split={split!r} does not exist: splits are {allowed}')


def _fill_pattern(
    pattern: str, split: int | None, subsets: tuple[str, ...]
) -> list[str]:
    for name, value in (('split', split), ('subset', subsets or None)):
        if f'{{{name}}}' in pattern and value is None:
            raise ConfigError(
                f'ann_file={pattern!r} asks for a {name}, but the data set has none: '
                f'give it {name}=...'
            )
    # replace, not format: other braces are part of a file's name
    filled = pattern.replace('{split}', str(split))
    if '{subset}' not in filled:
        return [filled]
    return [filled.replace('{subset}', subset) for subset in subsets]
