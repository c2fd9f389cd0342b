"""Run the batches of a skipped update again, exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import FUNCTIONS, DefaultScope
from mmpose.registry import DATASETS, MODELS
from torch import nn

from ..compat.checkpoint import load_checkpoint_strict
from ..engine.bad_step_file import BadStep, BatchRecord, EpisodeRecord, read_bad_step
from ..engine.optim import gradient_norm
from ..engine.random_states import set_generator_states
from ..errors import ConfigError
from .config_checks import check_data_files, check_dataloader, check_model
from .config_loading import load_config, set_amp

NUM_SHOWN = 5
"""Parameters with a bad gradient that are named."""


@dataclass(frozen=True)
class Replay:
    """What a batch gave this time.

    Attributes:
        record: the batch as it was recorded.
        losses: every part, and their sum under ``'loss'``.
        gradient_norm: of this batch alone.
        bad_gradients: names of the parameters whose gradient is no number.
        reloaded: whether the same instances were loaded as then.
    """

    record: BatchRecord
    losses: Mapping[str, float]
    gradient_norm: float
    bad_gradients: Sequence[str]
    reloaded: bool

    def is_bad(self) -> bool:
        """Whether a loss or the gradient is NaN or infinite."""
        values = (*self.losses.values(), self.gradient_norm)
        return not all(map(math.isfinite, values))


def replay(
    path: str | Path,
    config: str | Path,
    checkpoint: str | Path | None = None,
    cfg_options: Mapping | None = None,
) -> list[Replay]:
    """Run the loss of every batch of a skipped update: same episodes, same chance.

    The batch is the same to the last bit where the data are. So is the loss, on the
    same device, with the weights of that iteration, if the training had no CUDA graphs;
    here there are none.

    Args:
        path: file that :class:`~cape_mm.engine.hooks.FiniteLossHook` wrote.
        config: config of the training.
        checkpoint: weights; None takes those written beside the record, if any, else
            the config's initial ones.
        cfg_options: the overrides that the training had.

    Returns:
        One result per recorded batch, in the file's order.

    Raises:
        CapeError: a file is missing or does not fit the others.
    """
    step = read_bad_step(path)
    cfg = load_config(config, cfg_options)
    cfg.launcher = 'none'
    if not any(batch.episodes for batch in step.batches):
        raise ConfigError(f'{path}: its batches hold no episodes, nothing to run again')
    check_dataloader(cfg.train_dataloader, 'train_dataloader')
    check_data_files(cfg.train_dataloader.dataset, 'train_dataloader', 'data_root')
    check_model(cfg.get('model'))
    if (cfg.model.get('train_cfg') or {}).get('cuda_graph'):
        cfg.model.train_cfg.cuda_graph = False  # recording one uses up random numbers
    set_amp(cfg, 'Amp' in step.optim_wrapper)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        model = build_model(cfg, checkpoint or find_weights(step, Path(path)))
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        return [
            replay_batch(batch, load_batch(cfg, dataset, batch), model, wrapper)
            for batch in step.batches
        ]


def find_weights(step: BadStep, path: Path) -> Path | None:
    """The weights that were written with a record, also after the folder was moved."""
    if not step.weights:
        return None
    named = Path(step.weights)
    places = (named, path.parent / named.name)
    return next((place for place in places if place.is_file()), None)


def build_model(cfg: Config, checkpoint: str | Path | None) -> nn.Module:
    """The config's model, ready to train, on the GPU if there is one."""
    torch.manual_seed((cfg.get('randomness') or {}).get('seed') or 0)
    model = MODELS.build(cfg.model)
    if checkpoint is not None:
        load_checkpoint_strict(model, checkpoint)
    elif hasattr(model, 'init_weights'):
        model.init_weights()
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').train()


def load_batch(cfg: Config, dataset, record: BatchRecord) -> dict:
    """The collated batch of a record.

    Raises:
        ConfigError: the data set has not the record's instances.
    """
    name = (cfg.train_dataloader.get('collate_fn') or {}).get('type', 'pseudo_collate')
    collate = FUNCTIONS.get(name) or pseudo_collate
    try:
        return collate([dataset[entry.episode] for entry in record.episodes])
    except KeyError as error:
        raise ConfigError(
            f'the record does not belong to the data of this config: {error.args[0]}'
        ) from error


def replay_batch(
    record: BatchRecord, data: dict, model: nn.Module, wrapper: OptimWrapper
) -> Replay:
    """Loss and gradient of one batch, with the generators where they were."""
    loaded = [_loaded_ids(sample) for sample in data['data_samples']]
    wrapper.zero_grad()
    try:
        set_generator_states(record.generators)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f'the record has no usable states of the random generators: {error}'
        ) from error
    with wrapper.optim_context(model):
        inputs = model.data_preprocessor(data, True)
        parsed, parts = model.parse_losses(model(**inputs, mode='loss'))
    parsed.backward()
    bad = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not torch.isfinite(weight.grad).all()
    ]
    return Replay(
        record=record,
        losses={name: float(value) for name, value in parts.items()},
        gradient_norm=float(gradient_norm(model.parameters())),
        bad_gradients=bad,
        reloaded=loaded == [list(entry.loaded_ids) for entry in record.episodes],
    )


def _loaded_ids(sample) -> list[int]:
    supports, queries = sample.support_instances, sample.gt_instances
    return [*supports.ann_ids.tolist(), *queries.ann_ids.tolist()]


def describe_replays(replays: Sequence[Replay]) -> str:
    """The report, for people to read."""
    return '\n\n'.join('\n'.join(_lines(result)) for result in replays)


def _lines(result: Replay) -> Iterator[str]:
    record = result.record
    then = f', loss then {record.loss}' if record.loss else ''
    problem = f', {record.problem} then' if record.problem else ''
    yield f'iteration {record.iteration}, rank {record.rank}{then}{problem}'
    yield from (f'  {_describe_episode(entry)}' for entry in record.episodes)
    if not result.reloaded:
        yield '  other instances were loaded than then: images came or went'
    width = max(map(len, (*result.losses, 'gradient norm')))
    values = {**result.losses, 'gradient norm': result.gradient_norm}
    for name, value in values.items():
        mark = '' if math.isfinite(value) else '   <- not finite'
        yield f'  {name:{width}}  {value:.9g}{mark}'
    if result.bad_gradients:
        shown = ', '.join(result.bad_gradients[:NUM_SHOWN])
        yield f'  {len(result.bad_gradients)} bad gradients: {shown}, ...'


def _describe_episode(entry: EpisodeRecord) -> str:
    return f'{entry}, seed {entry.episode.seed}'
