"""The gradient of two processes beside that of one, and when it is reduced.

Both take the same four random episodes, in float32 and without chance in the model.

    python -m torch.distributed.run --standalone --nproc_per_node=2 \\
        benchmarks/gradients.py configs/cape_synthetic.py
"""

from __future__ import annotations

import argparse
import os
import time

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from cape_mm.analysis.random_model import prepare
from cape_mm.apis import parse_cfg_options
from cape_mm.apis.launching import join_processes, leave_processes
from cape_mm.datasets import collate_episodes

NO_CHANCE = {
    'model.head.prefix_mix': dict(truth_prob=1.0, noise_std=0.0, drop_prob=0.0),
    'model.head.random_order_prob': 0.0,
    'model.head.dropout': 0.0,
}
COUNTS, STEPS = 4, 8


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('--input-size', type=int)
    parser.add_argument('--cfg-options', nargs='+', default=())
    return parser.parse_args()


def join() -> str:
    """Meet the other process; the device of this one."""
    join_processes(Config(dict(launcher='pytorch')))
    if not torch.cuda.is_available():
        return 'cpu'
    init_dist('pytorch', 'nccl')
    return f'cuda:{os.environ["LOCAL_RANK"]}'


def part_of(batch: dict, start: int, stop: int) -> dict:
    """Some episodes of a collated batch."""
    items = [
        dict(
            inputs={name: batch['inputs'][name][i] for name in ('support', 'query')},
            data_samples=batch['data_samples'][i],
        )
        for i in range(start, stop)
    ]
    return collate_episodes(items)


def gradient(model: nn.Module, batch: dict) -> Tensor:
    """All gradients of a batch in one row."""
    inner = getattr(model, 'module', model)
    model.zero_grad()
    losses = model(**inner.data_preprocessor(batch, True), mode='loss')
    inner.parse_losses(losses)[0].backward()
    found = [weight.grad for weight in inner.parameters() if weight.grad is not None]
    return torch.cat([one.flatten() for one in found]).clone()


def wrap(model: nn.Module, device: str, calls: list) -> nn.Module:
    """As the runner does; ``calls`` grows by one with every reduced bucket."""
    ids = [torch.device(device).index] if device != 'cpu' else None
    wrapped = MMDistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)

    def reduce(state, bucket):  # PyTorch takes no annotations that are text
        calls.append(bucket.index())
        return allreduce_hook(None, bucket)

    wrapped.register_comm_hook(None, reduce)
    return wrapped


def reductions(model: nn.Module, batch: dict, calls: list) -> list[int]:
    """Buckets reduced in each of some steps, ``COUNTS`` of which are an update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=COUNTS)
    wrapper.initialize_count_status(model, 0, STEPS)
    numbers = []
    for _ in range(STEPS):
        calls.clear()
        model.train_step(batch, wrapper)
        numbers.append(len(calls))
    return numbers


def reduction_time(numel: int, device: str, dtype: torch.dtype) -> float:
    """Milliseconds of one all-reduce, the median of nine."""
    values, seconds = torch.ones(numel, dtype=dtype, device=device), []
    for _ in range(10):
        start = time.perf_counter()
        torch_dist.all_reduce(values)
        float(values[0])
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[4] * 1000


def main() -> None:
    """Measure and print."""
    args, device = parse_args(), join()
    rank = torch_dist.get_rank()
    torch.backends.cudnn.allow_tf32 = False
    sizes = dict(batch_size=4, num_queries=2, input_size=args.input_size)
    for graph in (False, True) if device != 'cpu' else (False,):
        options = {**parse_cfg_options(args.cfg_options), **NO_CHANCE}
        options['model.train_cfg.cuda_graph'] = graph
        prepared, _ = prepare(
            args.config, options, training=True, device=device, sizes=sizes
        )
        model, batch, calls = prepared.model, next(prepared.batches), []
        alone = gradient(model, batch)
        wrapped = wrap(model, device, calls)
        own = part_of(batch, 2 * rank, 2 * rank + 2)
        together = gradient(wrapped, own)
        apart = ((together - alone).norm() / alone.norm()).item()
        numbers = reductions(wrapped, own, calls)
        if rank == 0:
            print(f'cuda_graph={graph}: norm {alone.norm().item():.4f}, 2 x 2 against')
            print(f'  1 x 4 episodes: relative difference {apart:.1e}')
            print(f'  buckets reduced, {COUNTS} micro-batches an update: {numbers}')
    for dtype in (torch.float32, torch.bfloat16):
        milliseconds = reduction_time(alone.numel(), device, dtype)
        if rank == 0:
            print(f'all-reduce of {alone.numel():,} {dtype}: {milliseconds:.2f} ms')
    leave_processes()


if __name__ == '__main__':
    main()
