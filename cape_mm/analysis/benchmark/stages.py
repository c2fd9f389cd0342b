"""Steps of training and prediction, stage by stage."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ...engine.batch_lookahead import look_ahead, preparable
from .settings import BenchmarkSettings
from .subject import Subject
from .timing import (
    PeakMemory,
    Stopwatch,
    alternate,
    kernel_ms,
    ratio,
    summarise,
    synchronize,
)

Mark = Callable[[str], None]


class StepTimer:
    """Runs steps of a subject and keeps their times.

    Stages of a step: ``load`` (wait for the batch), ``preprocess``, ``backbone``
    (feature maps of all images), ``encode`` (keypoint tokens, graph, joint encoder),
    ``decode`` (head; in training with its losses), then ``update`` (backward and
    optimiser) or ``output`` (to data samples on the CPU). As in training, a GPU's next
    batch is loaded and preprocessed between backward and optimiser, see
    :func:`~cape_mm.engine.batch_lookahead.look_ahead`.

    Args:
        subject: what is measured.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._step = train_step if subject.optim_wrapper else predict_step
        self._batches = preparable(self._wait(), subject.model)
        self.reset()

    def reset(self) -> None:
        """Forget all steps so far."""
        self._watch = Stopwatch(self.subject.device)
        self.seconds = 0.0
        self.num_episodes = self.num_queries = 0
        self._waits: list[float] = []

    def run(self, steps: int) -> None:
        """Some more steps; the device is waited for at the end only."""
        synchronize(self.subject.device)
        start = time.perf_counter()
        with look_ahead(self._batches, self.subject.optim_wrapper):
            for _ in range(steps):
                self._run_step()
        synchronize(self.subject.device)
        self.seconds += time.perf_counter() - start

    def _run_step(self) -> None:
        self._watch.begin_step()
        batch = next(self._batches)
        self._watch.mark('load')
        self._step(self.subject, batch, self._watch.mark)
        samples = batch['data_samples']
        self.num_episodes += len(samples)
        self.num_queries += sum(len(sample.query_slots) for sample in samples)

    def _wait(self) -> Iterator[dict]:
        """The subject's batches; notes how long each was waited for."""
        while True:
            start = time.perf_counter()
            batch = next(self.subject.batches)
            self._waits.append(1000 * (time.perf_counter() - start))
            yield batch

    def results(self) -> dict:
        """Throughput over all steps, and times of the single ones in ms.

        ``data_wait_ms`` is how long the process waited for a batch; ``load`` on a GPU
        is how long the GPU did. A stage that a step did not pass lasted 0 ms there:
        steps that replay a CUDA graph have fewer than those that record it.
        """
        steps = self._watch.read()
        names = max(steps, key=len)
        stages = {name: [step.get(name, 0.0) for step in steps] for name in names}
        totals = [sum(step.values()) for step in steps]
        return dict(
            episodes_per_s=self.num_episodes / self.seconds,
            queries_per_s=self.num_queries / self.seconds,
            step_ms=summarise(totals),
            stages_ms={name: summarise(times) for name, times in stages.items()},
            data_wait_ms=summarise(self._waits),
        )


def train_step(subject: Subject, batch: dict, mark: Mark) -> None:
    """What ``BaseModel.train_step`` does, with marks."""
    model, wrapper = subject.model, subject.optim_wrapper
    with wrapper.optim_context(model), marked_parts(model, mark):
        data = model.data_preprocessor(batch, True)
        mark('preprocess')
        losses = model(**data, mode='loss')
        mark('decode')
    loss, _ = model.parse_losses(losses)
    wrapper.update_params(loss)
    mark('update')


def predict_step(subject: Subject, batch: dict, mark: Mark) -> None:
    """What ``BaseModel.test_step`` does, with marks."""
    model = subject.model
    with torch.no_grad(), subject.autocast(), marked_parts(model, mark):
        data = model.data_preprocessor(batch, False)
        mark('preprocess')
        model(**data, mode='predict')
        mark('output')


@contextmanager
def marked_parts(model: nn.Module, mark: Mark) -> Iterator[None]:
    """Mark the end of the model's parts while they run as they always do."""
    parts = (
        (model, 'extract_features', 'backbone'),
        (model, 'encode', 'encode'),
        (model.head, 'forward', 'decode'),
    )
    own = [vars(owner).get(name) for owner, name, _ in parts]
    for owner, name, stage in parts:
        setattr(owner, name, _then_mark(getattr(owner, name), mark, stage))
    try:
        yield
    finally:
        for (owner, name, _), before in zip(parts, own):
            delattr(owner, name)
            if before is not None:
                setattr(owner, name, before)


def _then_mark(function: Callable, mark: Mark, stage: str) -> Callable:
    @functools.wraps(function)
    def marked(*args, **kwargs):
        result = function(*args, **kwargs)
        mark(stage)
        return result

    return marked


def warm_up(timer: StepTimer, steps: int, memory: PeakMemory) -> None:
    """Steps that do not count, apart from their memory."""
    memory.end_phase('build')
    timer.run(steps)
    timer.reset()
    memory.end_phase('warmup')


def measure_steps(
    subject: Subject, settings: BenchmarkSettings, memory: PeakMemory
) -> dict:
    """Throughput, stages and memory of training or prediction.

    Returns:
        What :meth:`StepTimer.results` has, ``peak_memory_mib``; in prediction
        ``over_backbone``, see :func:`compare_with_backbone`; on a GPU
        ``gpu_kernel_ms`` per step and ``gpu_busy``, its share of the step.
    """
    timer = StepTimer(subject)
    warm_up(timer, settings.warmup, memory)
    timer.run(settings.steps)
    memory.end_phase('steps')
    results = timer.results()
    results['peak_memory_mib'] = memory.phases
    if subject.device.type == 'cuda':
        kernels = kernel_ms(lambda: timer.run(1), min(settings.steps, 10))
        results['gpu_kernel_ms'] = kernels
        results['gpu_busy'] = kernels / results['step_ms']['median']
    if subject.optim_wrapper is None:
        results['over_backbone'] = compare_with_backbone(subject, settings.steps)
    return results


def compare_with_backbone(subject: Subject, rounds: int) -> dict:
    """Time of a prediction over that of the backbone alone on the same images.

    Both are timed in turn. Only the backbone proper counts: the neck is overhead.
    """
    batch = next(subject.batches)

    def predict() -> None:
        predict_step(subject, batch, lambda stage: None)

    calls = record_backbone_calls(subject.model, predict)

    def run_backbone() -> None:
        with torch.no_grad(), subject.autocast():
            for backbone, images in calls:
                backbone(*images)

    run_backbone()
    works = dict(backbone=run_backbone, predict=predict)
    times, order = alternate(works, rounds, subject.device)
    return dict(
        backbone_ms=summarise(times['backbone']),
        predict_ms=summarise(times['predict']),
        ratio=ratio(times['predict'], times['backbone']),
        order=order,
    )


def record_backbone_calls(
    model: nn.Module, work: Callable[[], object]
) -> list[tuple[nn.Module, tuple]]:
    """Backbones and their arguments, in the order in which a call runs them."""
    calls: list[tuple[nn.Module, tuple]] = []

    def record(module: nn.Module, args: tuple) -> None:
        calls.append((module, args))

    backbones = [model.backbone, getattr(model, 'support_backbone', None)]
    handles = [
        backbone.register_forward_pre_hook(record)
        for backbone in backbones
        if backbone is not None
    ]
    try:
        work()
    finally:
        for handle in handles:
            handle.remove()
    return calls
