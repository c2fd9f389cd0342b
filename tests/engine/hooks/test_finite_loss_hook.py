"""A loss that is no number stops the training and says where."""

from types import SimpleNamespace

import pytest
import torch
from tiny_cape import make_episode

from cape_mm.engine.hooks import FiniteLossHook
from cape_mm.errors import CapeError, TrainingDivergedError

RUNNER = SimpleNamespace(epoch=2, train_dataloader=range(7))
BATCH = dict(data_samples=[make_episode(num_queries=2)['data_samples']])


def look(batch_idx, value, interval=5):
    outputs = dict(loss=torch.tensor(1.0), loss_decoder=torch.tensor(value))
    FiniteLossHook(interval).after_train_iter(RUNNER, batch_idx, BATCH, outputs)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_names_epoch_iteration_loss_and_instances(value):
    ids = BATCH['data_samples'][0].gt_instances.ann_ids.tolist()
    message = rf'epoch 3, iteration 5: loss_decoder became .*category.*{ids[-1]}\]'
    with pytest.raises(TrainingDivergedError, match=message) as error:
        look(4, value)
    assert isinstance(error.value, CapeError)


def test_end_of_an_epoch_is_always_checked():
    look(5, float('nan'))  # between two checks
    with pytest.raises(TrainingDivergedError, match='iteration 7'):
        look(6, float('nan'))


def test_finite_losses_pass():
    look(4, 3.0)


def test_interval_must_be_positive():
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        FiniteLossHook(0)
