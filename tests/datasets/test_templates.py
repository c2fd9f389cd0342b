"""Templates: a support from outside, without an image and without its annotation."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest
import torch
from config_models import CONFIG_DIR
from episode_data import CocoTree, assert_same, open_tree
from mmengine.structures import InstanceData
from tiny_cape import build_cape, fill_zero_weights

from cape_mm.apis import load_config
from cape_mm.datasets import FixedEpisodeSampler, MP100EpisodeDataset, collate_episodes
from cape_mm.errors import AnnotationFormatError, ConfigError
from cape_mm.evaluation.copy_support import copy_support
from cape_mm.structures import Episode
from cape_mm.structures.geometry import BOX_PADDING

POINTS = [[0.25, 0.5], [0.75, 0.25], None, [0.5, 0.8]]


@pytest.fixture
def tree(coco_tree) -> CocoTree:
    """Two categories of 4 keypoints."""
    coco_tree.fill(1, num_images=5)
    coco_tree.fill(2, num_images=5)
    return coco_tree


def write_templates(
    tree: CocoTree, templates: dict[str, object] | None = None, **fields: object
) -> str:
    """A template file in the data root; category 1 and 2 get ``POINTS``."""
    if templates is None:
        templates = {str(key): dict(keypoints=POINTS) for key in (1, 2)}
    content = dict(source='drawn', from_annotations=False, templates=templates)
    (tree.root / 'templates.json').write_text(json.dumps(content | fields))
    return 'templates.json'


def open_with(tree: CocoTree, **kwargs) -> MP100EpisodeDataset:
    return open_tree(tree, template_file=write_templates(tree, **kwargs))


def template_of(dataset: MP100EpisodeDataset, ann_id: int) -> list[list[float]]:
    """What an instance's own keypoints are in [0, 1] of its square, by hand."""
    x, y, w, h = dataset.index[ann_id].bbox
    side = BOX_PADDING * max(w, h)
    corner = np.array([x + w / 2 - side / 2, y + h / 2 - side / 2])
    return ((dataset.index[ann_id].keypoints - corner) / side).tolist()


def floor_of(item: dict) -> np.ndarray:
    """Copy-support prediction of an item."""
    support = item['data_samples'].support_instances
    return copy_support(
        support.keypoints_orig.numpy(),
        support.is_visible_orig.numpy(),
        support.bboxes.numpy(),
        item['data_samples'].gt_instances.bboxes.numpy(),
    )


def test_template_made_of_a_support_equals_that_support(tree):
    """Oracle: the same points in the crop, and the same floor."""
    plain = open_tree(tree)
    ids = [ann_id for ann_id, _ in plain.instances_by_category[1]]
    points = template_of(plain, ids[0])
    templates = {'1': dict(keypoints=points), '2': dict(keypoints=POINTS)}
    dataset = open_with(tree, templates=templates)
    episode = Episode(1, (ids[0],), tuple(ids[1:3]))
    ours, theirs = dataset[episode], plain[episode]
    for key in ('keypoints', 'is_visible', 'is_visible_orig'):
        found = ours['data_samples'].support_instances[key]
        torch.testing.assert_close(found, theirs['data_samples'].support_instances[key])
    np.testing.assert_allclose(floor_of(ours), floor_of(theirs), atol=1e-4)


def test_only_the_support_differs_from_the_same_draw_without_template(tree):
    plain, dataset = open_tree(tree), open_with(tree)
    samplers = [
        FixedEpisodeSampler(d, num_shots=2, num_queries=2, episodes_per_category=3)
        for d in (plain, dataset)
    ]
    assert samplers[0].episodes_sha256 == samplers[1].episodes_sha256
    for episode in samplers[1]:
        ours, theirs = deepcopy(dataset[episode]), deepcopy(plain[episode])
        support = ours['data_samples'].support_instances
        assert support.ann_ids.tolist() == support.img_ids.tolist() == [-1]
        assert support.is_visible.tolist() == [[True, True, False, True]]
        for item in (ours, theirs):
            item['inputs']['support'] = torch.zeros(0)
            item['data_samples'].support_instances = InstanceData()
        assert_same(ours, theirs)


def test_supports_are_not_read_at_all(tree):
    """A support's lost picture costs no pair; the picture shown is one flat grey."""
    dataset = open_with(tree)
    ids = [ann_id for ann_id, _ in dataset.instances_by_category[1]]
    tree.image_path(tree.image_of(ids[0])).unlink()
    item = dataset[Episode(1, (ids[0],), (ids[1],))]
    assert item['data_samples'].dropped_pairs == []
    assert item['inputs']['support'].unique().tolist() == [127]
    assert item['inputs']['support'].shape == item['inputs']['query'].shape


def test_skeleton_of_the_template_replaces_the_files(tree):
    templates = {
        '1': dict(keypoints=POINTS, skeleton=[[0, 3]]),
        '2': dict(keypoints=POINTS),
    }
    dataset = open_with(tree, templates=templates)
    assert dataset.categories[1].skeleton == ((0, 3),)
    assert dataset.categories[2].skeleton == ((0, 1), (1, 2), (2, 3))
    ids = [ann_id for ann_id, _ in dataset.instances_by_category[1]]
    item = dataset[Episode(1, (ids[0],), (ids[1],))]
    assert item['data_samples'].skeleton == [[0, 3]]


def test_no_templates_in_training_nor_from_annotations(tree):
    for value in (True, None, 'no'):
        with pytest.raises(ConfigError, match="from_annotations=.* .source: 'drawn'"):
            open_with(tree, from_annotations=value)
    with pytest.raises(ConfigError, match='templates are for evaluation alone'):
        open_tree(tree, train=True, template_file='templates.json')


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(source=''), 'a template file has "source"'),
        (dict(templates=[]), 'and "templates"'),
        (
            dict(templates={'1': dict(keypoints=POINTS[:3]), '2': {}}),
            'category 1 .*: 3 keypoints, but the category has 4',
        ),
        (dict(templates={'1': 5, '2': 5}), 'category 1 .* can not be read'),
        *(
            (dict(templates={'1': dict(keypoints=[*POINTS[:3], wrong])}), message)
            for wrong, message in (
                ([2, 0.5], r'is .x, y. in \[0, 1\]'),
                ([float('nan'), 0], r'is .x, y. in \[0, 1\]'),
                ('ab', 'can not be read'),
                ([0.1, 0.2, 0.3], 'can not be read'),
            )
        ),
        (dict(templates={'1': dict(keypoints=[None] * 4)}), 'all of .* are null'),
        (
            dict(templates={'1': dict(keypoints=POINTS, skeleton=[[0, 4]])}),
            r'skeleton edge \[0, 4\] is out of range',
        ),
    ],
)
def test_malformed_templates(tree, fields, message):
    if isinstance(fields.get('templates'), dict):
        fields['templates'].setdefault('2', dict(keypoints=POINTS))
    with pytest.raises(AnnotationFormatError, match=message):
        open_with(tree, **fields)


def predict_with(model: torch.nn.Module, item: dict, picture: torch.Tensor):
    item = deepcopy(item)
    item['inputs']['support'] = picture
    (sample,) = model.test_step(collate_episodes([item]))
    return sample.pred_instances


def test_prediction_does_not_depend_on_the_supports_picture(tree):
    """Bit for bit; a model that looks at the picture would differ."""
    dataset = open_with(tree)
    ids = [ann_id for ann_id, _ in dataset.instances_by_category[1]]
    item = dataset[Episode(1, (ids[0],), (ids[1], ids[2]))]
    flat = item['inputs']['support']
    noise = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, tuple(flat.shape), dtype=np.uint8)
    )
    options = load_config(CONFIG_DIR / 'cape_mp100_template.py').model.keypoint_tokens
    same = {}
    for look in (False, True):
        tokens = dict(options, look_at_image=True) if look else dict(options)
        model = build_cape(dtype=torch.float32, keypoint_tokens=tokens).eval()
        fill_zero_weights(model)
        ours, theirs = (predict_with(model, item, p) for p in (flat, noise))
        same[look] = torch.equal(ours.keypoints_orig, theirs.keypoints_orig)
    assert same == {False: True, True: False}
