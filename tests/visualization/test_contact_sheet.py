"""Rows and sheets: sizes, places, upscaling."""

import numpy as np

from cape_mm.visualization import (
    Panel,
    contact_sheets,
    episode_row,
    keypoint_colors,
)
from cape_mm.visualization.contact_sheet import (
    CAPTION_HEIGHT,
    GAP,
    TITLE_HEIGHT,
)


def make_panel(size=(64, 64), value=128):
    image = np.full((*size, 3), value, dtype=np.uint8)
    points = np.array([[15.5, 31.5], [47.5, 31.5]])
    return Panel(image, points, np.ones(2, bool), 'support')


def test_row_has_title_pictures_and_captions():
    row = episode_row([make_panel()] * 3, [[0, 1]], '7 cat', 'PCK@0.2 50 %', 128)
    assert row.dtype == np.uint8
    assert row.shape == (
        TITLE_HEIGHT + 128 + CAPTION_HEIGHT,
        3 * (128 + GAP) + GAP,
        3,
    )
    header = row[:TITLE_HEIGHT]
    assert (header < 100).any(axis=(0, 2)).sum() > 20  # something dark: the text


def test_pose_is_drawn_after_upscaling():
    """The pixel (15.5, 31.5) of 64 lies at the pixel (63.5 / 2, 63.5) of 128."""
    row = episode_row([make_panel()], [], 'cat', panel_size=128)
    picture = row[TITLE_HEIGHT : TITLE_HEIGHT + 128, GAP : GAP + 128]
    first, second = keypoint_colors(2)
    assert tuple(picture[63, 31]) == first
    assert tuple(picture[63, 95]) == second


def test_long_title_does_not_run_into_the_note():
    width = 3 * (128 + GAP) + GAP
    plain, long = (
        episode_row([make_panel()] * 3, [], title, 'PCK@0.2 50 %', 128)
        for title in ('cat', 'cat ' * 60)
    )
    note = slice(width - 100, width)
    np.testing.assert_array_equal(plain[:TITLE_HEIGHT, note], long[:TITLE_HEIGHT, note])


def test_row_goes_on_in_a_second_line():
    panels = [make_panel(value=value) for value in (0, 60, 120, 180, 240)]
    row = episode_row(panels, [], 'cat', panel_size=64, num_columns=3)
    line = 64 + CAPTION_HEIGHT
    assert row.shape[:2] == (TITLE_HEIGHT + 2 * line, 3 * (64 + GAP) + GAP)
    for index, panel in enumerate(panels):
        top, left = TITLE_HEIGHT + index // 3 * line, GAP + index % 3 * (64 + GAP)
        assert (row[top, left] == panel.image[0, 0]).all()


def test_sheets_share_the_rows_among_them():
    rows = [np.full((50, 400, 3), i, dtype=np.uint8) for i in range(7)]
    cell = 50 + 2 * GAP
    sheets = contact_sheets(rows, max_height=2 * cell + GAP)  # two columns: four rows
    assert [sheet.shape[0] for sheet in sheets] == [2 * cell + GAP] * 2
    shown = [
        [i for i in range(7) if (sheet == i).all(axis=-1).sum() == 50 * 400]
        for sheet in sheets
    ]
    assert shown == [[0, 1, 2, 3], [4, 5, 6]]
