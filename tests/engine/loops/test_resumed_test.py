"""An interrupted test goes on from its finished categories."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from loop_cases import (
    Recorder,
    assert_same_samples,
    build_model,
    build_runner,
    count_images,
    evaluate,
    open_loader,
    read_log,
)

from cape_mm.evaluation import EpisodePCK


@pytest.fixture
def loader(own_root):
    """Two categories, in the first of which an image is missing."""
    loader = open_loader(own_root)
    missing = loader.sampler.episodes[0].query_ids[0]
    dataset = loader.dataset
    with open(dataset.image_path(dataset.get_instance(missing)), 'wb'):
        pass
    return loader


def interrupt(work_dir, model, loader, stop_after=4):
    """Stop in the second category; a category has three episodes."""
    metrics = [EpisodePCK(), Recorder(stop_after)]
    loop = dict(type='EpisodeTestLoop')
    runner = build_runner(work_dir, model, loader, loop, metrics)
    with pytest.raises(KeyboardInterrupt):
        runner.test()
    return sorted(work_dir.rglob('category_*.npz'))


def test_resumed_equals_uninterrupted(loader, tmp_path):
    model = build_model()
    expected, whole = evaluate(tmp_path / 'whole', model, loader)
    assert expected['num_pairs_dropped'] > 0
    assert not (tmp_path / 'whole/unfinished_test').exists()  # nothing is left

    parts = tmp_path / 'parts'
    assert len(interrupt(parts, model, loader)) == 1
    sizes = count_images(model.backbone)
    metrics, resumed = evaluate(parts, model, loader, resume=True)
    assert 'going on from the finished categories' in read_log(parts)
    assert sum(sizes[1:]) <= 8  # of the second category; the first call is the probe
    assert json.dumps(metrics) == json.dumps(expected)
    assert_same_samples(resumed.samples, whole.samples)
    for index, sample in whole.samples.items():
        points = resumed.samples[index]['pred_instances']['keypoints_orig']
        assert torch.equal(points, sample['pred_instances']['keypoints_orig'])
    assert not list(parts.rglob('*.npz'))


def test_hooks_see_images_of_finished_categories(loader, tmp_path):
    from test_episode_loops import Watcher

    model, whole, resumed = build_model(), Watcher(), Watcher()
    evaluate(tmp_path / 'whole', model, loader, [whole])
    interrupt(tmp_path / 'parts', model, loader)
    evaluate(tmp_path / 'parts', model, loader, [resumed], resume=True)
    for index, (support, query) in whole.seen.items():
        assert torch.equal(resumed.seen[index][0], support)
        assert torch.equal(resumed.seen[index][1], query)


def cut_off(content):
    return content[:500]


def lose_the_confidences(content):
    """Of a ZIP file's table of contents nothing is checked: an entry as a comment."""
    before, lost, after = _entries_around(content, b'pred_keypoint_scores.npy')
    length = (after - lost).to_bytes(2, 'little')
    return content[: before + 32] + length + content[before + 34 :]


def _entries_around(content, name):
    table = [m.start() for m in re.finditer(b'PK\x01\x02', content)]
    place = next(i for i, start in enumerate(table) if name in content[start:][:80])
    return table[place - 1 : place + 2]


def encrypt(content):
    """By the flag in the table of contents."""
    place = content.index(b'PK\x01\x02') + 8
    return content[:place] + b'\x01' + content[place + 1 :]


@pytest.mark.parametrize('damage', [cut_off, lose_the_confidences, encrypt])
def test_a_damaged_part_is_computed_again(loader, tmp_path, damage):
    model = build_model()
    expected, _ = evaluate(tmp_path / 'whole', model, loader)
    (part,) = interrupt(tmp_path / 'parts', model, loader)
    content = part.read_bytes()
    part.write_bytes(damage(content))
    assert part.read_bytes() != content
    metrics, _ = evaluate(tmp_path / 'parts', model, loader, resume=True)
    assert json.dumps(metrics) == json.dumps(expected)


def test_an_image_that_is_back_is_not_missed_any_more(loader, tmp_path):
    model, dataset = build_model(), loader.dataset
    interrupt(tmp_path / 'parts', model, loader)
    ids = loader.sampler.episodes[0].query_ids[:2]
    missing, other = (dataset.image_path(dataset.get_instance(i)) for i in ids)
    shutil.copy(other, missing)
    expected, _ = evaluate(tmp_path / 'whole', model, loader)
    assert expected['num_pairs_dropped'] == 0
    metrics, _ = evaluate(tmp_path / 'parts', model, loader, resume=True)
    assert json.dumps(metrics) == json.dumps(expected)


@pytest.mark.parametrize('change', ['weights', 'mode', 'precision', 'labels', 'draw'])
def test_parts_of_another_test_are_not_taken(loader, own_root, tmp_path, change):
    model = build_model()
    interrupt(tmp_path, model, loader)
    loop = dict(resume=True)
    if change == 'weights':
        with torch.no_grad():
            model.head.readout.project.bias[3] += 1e-3
    elif change == 'mode':
        model.test_cfg['mode'] = 'parallel'
    elif change == 'precision':
        loop['bank'] = dict(dtype='bfloat16')
    elif change == 'labels':
        path = loader.dataset.ann_file
        with open(path, 'a') as file:
            file.write(' ')
    elif change == 'draw':
        loader = open_loader(own_root, draw_seed=2)
    sizes = count_images(model.backbone)
    evaluate(tmp_path, model, loader, **loop)
    assert sum(sizes[1:]) > 8  # a category has no more instances
    if change != 'draw':  # that is told by the name of the file
        assert 'nothing finished of this checkpoint' in read_log(tmp_path)


def test_without_resume_it_starts_afresh(loader, tmp_path):
    model = build_model()
    interrupt(tmp_path, model, loader)
    sizes = count_images(model.backbone)
    evaluate(tmp_path, model, loader)
    assert sum(sizes[1:]) > 8
    assert 'it is started afresh (resume with --resume)' in read_log(tmp_path)


def test_nothing_is_written_if_not_asked_for(loader, tmp_path):
    model, metrics = build_model(), [EpisodePCK(), Recorder(4)]
    loop = dict(type='EpisodeTestLoop', save_parts=False)
    runner = build_runner(tmp_path, model, loader, loop, metrics)
    with pytest.raises(KeyboardInterrupt):
        runner.test()
    assert not list(tmp_path.rglob('*.npz'))
