"""Two ways to the same autoregressive result: step by step, or pass by pass.

What keypoint i emits is a function of what keypoints 0 .. i - 1 emitted: a triangular
system of equations. :func:`decode_in_steps` solves it by substitution, one cached step
per keypoint. :func:`decode_in_passes` solves it by fixed-point iteration: guess all
points, answer all questions at once, take the answers as the next guess, until no point
moves. The first i points are final after i passes whatever the guess, so there are
never more passes than steps; a decoder that was trained on noisy histories settles
after two or three. In language this is Jacobi decoding (Santilli et al., "Accelerating
Transformer Inference for Translation via Parallel Decoding", ACL 2023, after Song et
al., "Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving",
ICML 2021); coordinates are continuous, so "no longer moves" needs a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .autoregressive_decoder import AutoregressiveDecoder
from .base import EpisodeContext, Estimate
from .decode_order import take_in_order
from .prefix_mix import History

Found = tuple[torch.Tensor, Estimate]
Search = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Found]
"""From tokens (N, T, C), answers (N, T, C) and the query map to what they find."""

TOLERANCE = 1e-4
"""Largest move of a settled point, as a fraction of the crop's side."""

HALF_TOLERANCE = 1e-3
"""The same in half precision, whose rounding alone moves points by more than 1e-4."""


def decode_in_steps(
    decoder: AutoregressiveDecoder,
    search: Search,
    context: EpisodeContext,
    proposals: torch.Tensor | None,
    order: torch.Tensor,
) -> Found:
    """One cached step per known keypoint.

    Args:
        decoder: answers the questions.
        search: makes a point of an answer.
        context: encoded episodes.
        proposals: first guesses, (N, K, 2), or None.
        order: keypoint indices in the order of decoding, (N, K).

    Returns:
        The corrected tokens (N, K, C) and what they found, in the keypoints' own
        order. Where no step was made: the plain token, a flat heat map, the crop's
        centre and score 0.
    """
    state = decoder.start(context, proposals, order)
    identities, seen_map = state.inputs.identities, _as_float(context.fine_map)
    steps: list[Found] = []
    last = None
    for index in range(context.num_steps):
        answer = decoder.step(state, index, seen_map, last)
        identity = identities[:, index : index + 1]
        steps.append(search(identity, answer, context.fine_map))
        last = steps[-1][1].points
    return _in_own_order(context, order, steps)


def decode_in_passes(
    decoder: AutoregressiveDecoder,
    search: Search,
    context: EpisodeContext,
    proposals: torch.Tensor | None,
    order: torch.Tensor,
    guess: torch.Tensor,
    tolerance: float | None = None,
) -> Found:
    """Passes over all known keypoints until none of their points moves.

    Each row stops on its own: which rows share its batch does not matter.

    Args:
        decoder: answers the questions.
        search: makes a point of an answer.
        context: encoded episodes.
        proposals: first guesses that the decoder is told, (N, K, 2), or None.
        order: keypoint indices in the order of decoding, (N, K).
        guess: points to start from, (N, K, 2); no matter for the result.
        tolerance: largest move of a settled point, as a fraction of the crop's side;
            None goes by the precision.

    Returns:
        As :func:`decode_in_steps`, whose result it is but for the tolerance.
    """
    asked = order[:, : context.num_steps]
    if not context.num_steps:
        return _in_own_order(context, order, [])
    inputs = decoder.prepare(context, proposals, asked)
    if tolerance is None:
        is_half = inputs.bias.element_size() < 4
        tolerance = HALF_TOLERANCE if is_half else TOLERANCE
    is_known = take_in_order(context.is_known, asked)
    seen_map = _as_float(context.fine_map)
    points, kept, is_settled = take_in_order(guess, asked), None, None
    for _ in range(context.num_steps):
        answers = decoder.answer(inputs, seen_map, History(points))
        found = search(inputs.identities, answers, context.fine_map)
        kept = found if kept is None else _keep(kept, found, is_settled)
        moves = (kept[1].points - points).abs().amax(dim=-1)
        is_settled = (moves.masked_fill(~is_known, 0) <= tolerance).all(dim=1)
        points = kept[1].points
        if bool(is_settled.all()):  # the only value that Python waits for
            break
    return _in_own_order(context, order, [kept])


def _keep(kept: Found, found: Found, is_settled: torch.Tensor) -> Found:
    """The new values of the rows that had not settled."""
    old, new = _parts(kept), _parts(found)
    tokens, *values = (
        torch.where(is_settled.view(-1, *[1] * (part.dim() - 1)), part, other)
        for part, other in zip(old, new)
    )
    return tokens, Estimate(*values)


def _parts(found: Found) -> tuple[torch.Tensor, ...]:
    tokens, estimate = found
    return tokens, estimate.logits, estimate.points, estimate.scores


def _in_own_order(
    context: EpisodeContext, order: torch.Tensor, pieces: list[Found]
) -> Found:
    """Joins consecutive pieces, fills up to K and undoes the order of decoding."""
    asked = sum(tokens.shape[1] for tokens, _ in pieces)
    rest = take_in_order(context.keypoint_tokens, order[:, asked:])
    pieces = [*pieces, (rest, _nothing_found(context, rest.shape[1]))]
    back = order.argsort(dim=1)
    tokens, *values = (
        take_in_order(torch.cat(parts, dim=1), back)
        for parts in zip(*(_parts(piece) for piece in pieces))
    )
    return tokens, Estimate(*values)


def _as_float(fine_map: torch.Tensor) -> torch.Tensor:
    """The map to sample from: sampling is in float32, so cast once, not each time."""
    return fine_map.float() if fine_map.element_size() < 4 else fine_map


def _nothing_found(context: EpisodeContext, num_keypoints: int) -> Estimate:
    """Estimate of keypoints that no step was made for."""
    rows, _, height, width = context.fine_map.shape
    points = context.fine_map.new_full(
        (rows, num_keypoints, 2), 0.5, dtype=torch.float32
    )
    return Estimate(
        context.fine_map.new_zeros(rows, num_keypoints, height, width),
        points,
        torch.zeros_like(points[..., 0]),
    )
