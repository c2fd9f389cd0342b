"""Several data sets in one training: equal ids kept apart, drawn by weight."""

from collections import Counter
from pathlib import Path

import pytest
from episode_data import CocoTree, train_pipeline
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS

from cape_mm.apis.config_checks import explain_build_errors
from cape_mm.apis.config_loading import load_config
from cape_mm.datasets import (
    EpisodeSampler,
    FixedEpisodeSampler,
    MultiSourceEpisodeDataset,
)
from cape_mm.engine.trained_categories import (
    describe_data,
    describe_gaps,
    usable_categories,
)
from cape_mm.errors import ConfigError

CUSTOM = Path(__file__).resolve().parents[2] / 'configs/cape_custom.py'


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    """Two data roots that use the same ids for different things."""
    found = []
    for name, counts in (('own', {1: 4, 2: 5}), ('generated', {1: 6, 3: 4, 7: 4})):
        tree = CocoTree(tmp_path_factory.mktemp(name))
        if name == 'generated':
            tree.add_image('unused')  # so that equal image ids show other pictures
        for category_id, number in counts.items():
            tree.fill(category_id, number, name=f'{name}{category_id}')
        tree.write()
        found.append(dict(name=name, data_root=str(tree.root), ann_file='data.json'))
    return found


def open_sources(*sources):
    return MultiSourceEpisodeDataset(list(sources), pipeline=train_pipeline())


def draw(dataset, number, **kwargs):
    return list(EpisodeSampler(dataset, episodes_per_epoch=number, seed=1, **kwargs))


def test_source_by_weight_then_category(sources):
    own, generated = sources
    dataset = open_sources(dict(own, weight=1), dict(generated, weight=3))
    episodes = draw(dataset, 4000)
    by_source = Counter(episode.source for episode in episodes)
    assert by_source[1] / 4000 == pytest.approx(0.75, abs=0.03)
    counts = Counter((episode.source, episode.category_id) for episode in episodes)
    assert counts.keys() == {(0, 1), (0, 2), (1, 1), (1, 3), (1, 7)}
    for (source, _), count in counts.items():
        expected = (500, 1000)[source]
        assert count == pytest.approx(expected, rel=0.15)


def test_equal_ids_of_two_sources_stay_apart(sources):
    dataset = open_sources(*sources)
    paths = {0: set(), 1: set()}
    for episode in draw(dataset, 60):
        sample = dataset[episode]['data_samples']
        assert sample.category_name == (
            f'{sources[episode.source]["name"]}{episode.category_id}'
        )
        paths[episode.source] |= {*sample.support_img_paths, *sample.query_img_paths}
    for source, own in zip(sources, paths.values()):
        assert own and all(path.startswith(source['data_root']) for path in own)


def test_one_source_draws_what_its_data_set_alone_would(sources):
    dataset = open_sources(dict(sources[1], weight=5))
    alone = dataset.sources[0].dataset
    assert draw(dataset, 30, num_queries=2) == draw(alone, 30, num_queries=2)


def test_chosen_categories_of_a_source(sources):
    own, generated = sources
    chosen = dict(generated, categories=['generated3', 7])
    dataset = open_sources(own, chosen)
    drawn = {(e.source, e.category_id) for e in draw(dataset, 200)}
    assert drawn == {(0, 1), (0, 2), (1, 3), (1, 7)}
    with pytest.raises(ConfigError, match="called 'generate3'.*are generated3"):
        open_sources(dict(generated, categories=['generate3']))


@pytest.mark.parametrize('weight', [0, -1, float('nan'), float('inf'), '1', True])
def test_impossible_weight(weight):
    with pytest.raises(ConfigError, match=r'sources.0 \(a\): weight must be a number'):
        open_sources(dict(name='a', weight=weight, data_root='nowhere'))


def test_evaluation_takes_one_data_set(sources):
    with pytest.raises(ConfigError, match='not several sources'):
        FixedEpisodeSampler(open_sources(*sources), episodes_per_category=1)


def test_banner_and_checkpoint_name_the_sources(sources):
    own, generated = sources
    dataset = open_sources(dict(own, weight=1), dict(generated, weight=3))

    class Loader:
        sampler = EpisodeSampler(dataset, episodes_per_epoch=1, seed=0)

    Loader.dataset = dataset
    assert describe_data(Loader) == (
        'MultiSourceEpisodeDataset: 25% own: 2 categories, 9 usable instances, '
        '75% generated: 3 categories, 14 usable instances, num_shots 1, num_queries 1'
    )
    names = [name for _, name in usable_categories(dataset)]
    assert names == ['own1', 'own2', 'generated1', 'generated3', 'generated7']
    assert describe_gaps(dataset) is None


def test_config_of_own_data(sources):
    cfg = load_config(CUSTOM, dict(data_root='a', train_ann_file='b.json'))
    (source,) = cfg.train_dataloader.dataset.sources
    assert (source.data_root, source.ann_file) == ('a', 'b.json')
    with pytest.raises(ConfigError, match=r'sources.0.anns_file: MP100EpisodeDataset'):
        source.anns_file = 'b.json'
        scope = DefaultScope.overwrite_default_scope('mmpose')
        with scope, explain_build_errors(cfg):
            DATASETS.build(cfg.train_dataloader.dataset)


def test_data_root_of_the_command_line_means_the_first_source(sources, tmp_path):
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = '{CUSTOM}'\n"
        f'train_dataloader = dict(dataset=dict(sources={[*sources]!r}))\n'
    )
    cfg = load_config(child, dict(data_root='a', train_ann_file='b.json'))
    first, second = cfg.train_dataloader.dataset.sources
    assert (first.data_root, first.ann_file) == ('a', 'b.json')
    assert second == sources[1]
