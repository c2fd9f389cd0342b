"""The best, the median and the worst episode of every category, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .blocks import Block, Figure, Folded, Section, Table, Text
from .episode_choice import ChosenPair
from .numbers import percent

Pictures = Mapping[tuple[int, int], bytes | str]
"""By (episode_index, slot) a JPEG file, or why there is none."""


def episode_section(
    choices: Mapping[int, Sequence[ChosenPair]],
    names: Mapping[int, str],
    pictures: Pictures,
) -> Section:
    """One fold per category.

    Args:
        choices: by category id.
        names: of the categories.
        pictures: of the chosen pairs; without any, the episodes are only listed.
    """
    title = 'Episodes'
    if not any(choices.values()):
        return Section('episodes', title, [Text('No pair has a keypoint to score.')])
    blocks: list[Block] = [
        Text(
            'The best episode of every category by its best pair, the median by its '
            'median, the worst by its worst. Left to right: support, query with the '
            'truth, query with the prediction.'
            if pictures
            else 'The best, the median and the worst episode of every category.'
        )
    ]
    for category_id, chosen in choices.items():
        name = f'{category_id} {names.get(category_id, "")}'.strip()
        if not pictures:
            content: list[Block] = [_listed(chosen)] if chosen else []
        else:
            content = [_shown(name, one, pictures) for one in chosen]
        content = content or [Text('No pair has a keypoint to score.')]
        blocks.append(Folded(name, content))
    return Section('episodes', title, blocks)


def _shown(name: str, chosen: ChosenPair, pictures: Pictures) -> Figure | Text:
    caption = (
        f'{chosen.rank.capitalize()} episode: number {chosen.episode_index}, '
        f'{percent(chosen.episode_pck)} % over {chosen.num_pairs} pairs; shown: query '
        f'{chosen.slot}, {percent(chosen.pair_pck)} %'
    )
    picture = pictures.get(chosen.key, 'not drawn')
    if isinstance(picture, str):
        return Text(f'{caption}. No picture: {picture}.')
    file_name = f'{chosen.category_id}_{chosen.rank}'
    return Figure(file_name, picture, 'jpg', f'{name}. {caption}')


def _listed(chosen: Sequence[ChosenPair]) -> Table:
    rows = [
        (one.rank, str(one.episode_index), percent(one.episode_pck))
        + (str(one.num_pairs), str(one.slot), percent(one.pair_pck))
        for one in chosen
    ]
    header = ('', 'episode', 'PCK@0.2 [%]', 'pairs', 'query', 'its PCK@0.2 [%]')
    return Table(header, rows)
