"""Options of a model that are no constructor argument of their own."""

from __future__ import annotations

import pytest
from tiny_cape import build_cape

from cape_mm.errors import ConfigError
from cape_mm.models.estimators.run_options import complete_options


def test_defaults_fill_in():
    defaults = dict(mode='ar', cuda_graph=False)
    assert complete_options('test_cfg', None, defaults) == defaults
    given = complete_options('test_cfg', dict(cuda_graph=True), defaults)
    assert given == dict(mode='ar', cuda_graph=True)
    assert defaults['cuda_graph'] is False


@pytest.mark.parametrize(
    ('group', 'options', 'message'),
    [
        ('test_cfg', dict(flip_test=True), "test_cfg has no option 'flip_test'"),
        ('test_cfg', dict(modus='ar'), 'It takes: mode, cuda_graph'),
        ('test_cfg', dict(cuda_graph='yes'), "must be True or False, got 'yes'"),
        ('train_cfg', dict(cuda_grap=True), "train_cfg has no option 'cuda_grap'"),
        ('train_cfg', dict(cuda_graph=None), 'train_cfg.cuda_graph must be'),
    ],
)
def test_a_mistyped_option_is_refused_when_the_model_is_built(group, options, message):
    with pytest.raises(ConfigError, match=message):
        build_cape(**{group: options})
