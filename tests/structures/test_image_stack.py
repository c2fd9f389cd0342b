"""Images of several episodes in one tensor."""

import pytest
import torch

from cape_mm.structures import ImageStack

IMAGES = torch.arange(5 * 3 * 2 * 2, dtype=torch.uint8).view(5, 3, 2, 2)


def test_indexing_gives_views_of_each_episode():
    stack = ImageStack(IMAGES, [2, 0, 3])
    assert [len(part) for part in stack] == [2, 0, 3]
    assert torch.equal(stack[0], IMAGES[:2])
    assert torch.equal(stack[-1], IMAGES[2:])
    assert stack[2].data_ptr() == IMAGES[2:].data_ptr()
    with pytest.raises(IndexError):
        stack[3]


def test_from_list_is_the_inverse_of_indexing():
    stack = ImageStack(IMAGES, [1, 4])
    again = ImageStack.from_list(list(stack))
    assert torch.equal(again.images, IMAGES)
    assert again.counts == (1, 4)


def test_empty_parts_need_no_size():
    stack = ImageStack.from_list([torch.zeros(0, 3, 0, 0).byte(), IMAGES])
    assert len(stack[0]) == 0
    assert torch.equal(stack[1], IMAGES)
    assert len(ImageStack.from_list([torch.zeros(0, 3, 0, 0).byte()]).images) == 0


def test_counts_must_fit():
    with pytest.raises(ValueError, match=r'counts \[2, 2\] add up to 4.* 5 images'):
        ImageStack(IMAGES, [2, 2])
