"""Layers of the refining methods against numbers worked by hand."""

from __future__ import annotations

import math

import torch
from torch import nn

from cape_mm.models.layers.refinement import (
    GraphFeedForward,
    encode_cells,
    encode_places,
    graph_weights,
    soft_argmax,
)
from cape_mm.structures.skeleton import hop_distances


def test_places_by_hand():
    """Four numbers per coordinate: waves of length 1 and 100, y before x."""
    point = torch.tensor([0.25, 0.5])
    waves = [
        wave(2 * math.pi * value / length)
        for value in (0.5, 0.25)
        for length in (1, 100)
        for wave in (math.sin, math.cos)
    ]
    torch.testing.assert_close(encode_places(point, 8), torch.tensor(waves))


def test_cells_are_counted_from_one():
    cells = encode_cells(2, 4, 8)
    third = encode_places(torch.tensor([3 / 4, 1 / 2]), 8)
    torch.testing.assert_close(cells[2], third, atol=1e-5, rtol=0)
    of_more = encode_cells(1, 3, 8, whole_width=4)
    torch.testing.assert_close(of_more[2, 4:], third[4:], atol=1e-5, rtol=0)


def test_graph_convolution_by_hand():
    """Keypoint 1 has two neighbours, so each gets half of what it gives."""
    hops = torch.tensor(hop_distances([(0, 1), (1, 2), (2, 3)], 4))[None]
    graph = graph_weights(hops, torch.tensor([[True, True, True, False]]))
    layer = GraphFeedForward(1, 1, dropout=0.0)
    layer.spread.weight.data = torch.tensor([[1.0], [10.0]])
    layer.out.weight.data.fill_(1)
    for part in (layer.spread, layer.out):
        nn.init.zeros_(part.bias)
    tokens = torch.tensor([1.0, 2.0, 4.0, 8.0])[None, :, None]
    # itself, and ten times what neighbours give: 2 / 2, 1 + 4, 2 / 2; unknown: nothing
    expected = torch.tensor([1 + 10, 2 + 50, 4 + 10, 0.0])
    torch.testing.assert_close(layer(tokens, graph)[0, :, 0], expected)


def test_soft_argmax_is_the_mean_of_the_whole_map():
    logits = torch.full((1, 1, 2, 4), -1e4)
    logits[0, 0, 0, 0] = logits[0, 0, 1, 3] = 5.0
    torch.testing.assert_close(soft_argmax(logits), torch.tensor([[[0.5, 0.5]]]))
