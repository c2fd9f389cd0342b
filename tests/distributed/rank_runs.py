"""Short trainings that one process and two processes run alike.

As a script (``rank_runs.py FOLDER ROOT``) it is one process of two: it runs everything
and leaves what it saw in ``FOLDER/rank<r>.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS, VISUALIZERS
from tiny_cape import PLAIN_PREFIX, build_cape, make_episode, prepare
from tool_calls import FAST, TINY
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from cape_mm.apis import parse_cfg_options, train
from cape_mm.apis.launching import join_processes, leave_processes

NO_CHANCE = dict(prefix_mix=PLAIN_PREFIX, random_order_prob=0.0, dropout=0.0)
NUM_EPISODES = 10
"""Per epoch: five iterations of one episode per rank, so windows of 2, 2 and 1."""


def forget_last_run() -> None:
    """A run in the same process would go on with the logger and the charts of this."""
    for manager in (MMLogger, MessageHub, VISUALIZERS.get('PoseLocalVisualizer')):
        manager._instance_dict.clear()


def plain(model: nn.Module) -> nn.Module:
    """The model without the wrapper that distributes it."""
    return model.module if is_model_wrapper(model) else model


def digest(model: nn.Module) -> str:
    """Fingerprint of all weights."""
    sha = hashlib.sha256()
    for value in plain(model).state_dict().values():
        sha.update(value.detach().contiguous().numpy().tobytes())
    return sha.hexdigest()


@HOOKS.register_module(force=True)
class StepRecorder(Hook):
    """Notes after every iteration what this process did in it.

    Args:
        path: file for the notes, with ``{rank}`` in its name; None writes none.
    """

    priority = 'LOWEST'

    def __init__(self, path: str | None = None) -> None:
        self.path, self.steps, self._num_reduced = path, [], 0

    def before_train(self, runner: Runner) -> None:
        """Count the all-reduces of gradients, bucket by bucket."""
        if isinstance(runner.model, DistributedDataParallel):
            runner.model.register_comm_hook(None, self._reduce)

    def _reduce(self, state, bucket):  # PyTorch takes no annotations that are text
        self._num_reduced += 1
        return allreduce_hook(None, bucket)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note episodes, weights, all-reduces, the seed of the model's own chance."""
        self.steps.append(
            dict(
                epoch=runner.epoch,
                episodes=[s.episode_index for s in data_batch['data_samples']],
                weights=digest(runner.model),
                num_reduced=self._num_reduced,
                seed=torch.initial_seed(),
            )
        )
        self._num_reduced = 0

    def after_run(self, runner: Runner) -> None:
        """Write the notes."""
        if self.path is not None:
            path = Path(self.path.format(rank=get_dist_info()[0]))
            path.write_text(json.dumps(self.steps))


def train_exactly(folder: Path, root: str, batch_size: int) -> tuple[list, Tensor]:
    """Two epochs of the tiny model in float64, without chance inside the model.

    Args:
        folder: work directory.
        root: synthetic data.
        batch_size: episodes per process and micro-batch.

    Returns:
        The notes of this process, and how far all weights moved, one flat tensor.
    """
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(exact_options(root, batch_size))
    cfg.launcher = 'none' if get_dist_info()[1] == 1 else 'pytorch'
    join_processes(cfg)
    model, recorder = build_cape('gn', head=NO_CHANCE), StepRecorder()
    model._is_init = True  # the runner would draw new weights
    before = flatten(model)
    forget_last_run()
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=cfg.train_dataloader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=1e-2),
            accumulative_counts=2,
            clip_grad=dict(max_norm=0.5),
        ),
        default_hooks=dict(sampler_seed=dict(type='DistSamplerSeedHook')),
        custom_hooks=[
            dict(type='AccumulationWindowHook'),
            dict(type='IterationSeedHook'),
            recorder,
        ],
        launcher=cfg.launcher,
        default_scope='mmpose',
        randomness=dict(seed=0),
        cfg=dict(model_wrapper_cfg=cfg.get('model_wrapper_cfg')),
    )
    runner.train()
    return recorder.steps, flatten(runner.model) - before


def exact_options(root: str, batch_size: int) -> dict:
    """Options for the loader of :func:`train_exactly`."""
    options = parse_cfg_options([text for text in FAST[1:] if 'train_data' in text])
    return options | {
        'train_dataloader.dataset.data_root': root,
        'train_dataloader.batch_size': batch_size,
        'train_dataloader.drop_last': False,
        'train_dataloader.sampler.episodes_per_epoch': NUM_EPISODES,
    }


def flatten(model: nn.Module) -> Tensor:
    """All weights in one row."""
    return torch.cat([p.detach().flatten() for p in plain(model).parameters()]).clone()


DEFAULT_CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['cape_mm', 'rank_runs'], allow_failed_imports=False)
custom_hooks = [*[dict(type=kind) for kind in (
    'AccumulationWindowHook', 'IterationSeedHook', 'FiniteLossHook',
    'TrainingBannerHook', 'ResourceHook')], dict(type='StepRecorder', path={notes!r})]
"""


def default_options(root: str) -> dict:
    """Options for the tiny config: three iterations per epoch and rank.

    The learning rate does not depend on the number of epochs, so that a training that
    stops after the first and is resumed has the same.
    """
    return parse_cfg_options(FAST[1:]) | {
        'data_root': root,
        'optim_wrapper.accumulative_counts': 2,
        'train_dataloader.sampler.episodes_per_epoch': 12,
        'param_scheduler': [dict(type='ConstantLR', factor=0.5, end=1)],
    }


def train_by_default(folder: Path, root: str) -> None:
    """Two epochs of the tiny config as it is, through the front door."""
    folder.mkdir(exist_ok=True)
    config = folder / f'config{get_dist_info()[0]}.py'
    notes = str(folder / 'steps{rank}.json')
    config.write_text(DEFAULT_CONFIG.format(base=str(TINY), notes=notes))
    options = default_options(root)
    forget_last_run()
    train(config, folder / 'work', cfg_options=options, launcher='pytorch')


def reduce_blind_batch(rank: int) -> list[float]:
    """Gradient norms of three steps in which rank 1 has nothing to score at first.

    DDP without ``find_unused_parameters`` refuses the second step if a parameter of the
    first took no part in the loss on some rank.
    """
    hidden = tuple((q, k) for q in range(2) for k in range(5))
    model = DistributedDataParallel(build_cape('gn', dtype=torch.float32))
    norms = []
    for step in range(3):
        is_blind = rank == 1 and step == 0
        episode = make_episode(step, 5, query_hidden=hidden if is_blind else ())
        model.zero_grad()
        losses = model(**prepare(model.module, [episode]), mode='loss')
        sum(losses.values()).backward()
        grads = [p.grad for p in model.parameters()]
        norms.append(torch.cat([g.flatten() for g in grads]).norm().item())
    return norms


def run_rank(folder: Path, root: str) -> None:
    """Everything that two processes do together."""
    join_processes(Config(dict(launcher='pytorch')))
    rank, world_size = get_dist_info()
    steps, moved = train_exactly(folder / 'exact', root, batch_size=1)
    torch.save(moved, folder / f'moved{rank}.pth')
    train_by_default(folder / 'default', root)
    seen = dict(
        world_size=world_size, exact=steps, blind_norms=reduce_blind_batch(rank)
    )
    (folder / f'rank{rank}.json').write_text(json.dumps(seen))
    leave_processes()


if __name__ == '__main__':
    sys.modules['rank_runs'] = sys.modules['__main__']
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)
    run_rank(Path(sys.argv[1]), sys.argv[2])
