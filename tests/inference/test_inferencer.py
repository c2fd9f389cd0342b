"""CapeInferencer: equal to the model's own prediction, in every form of input."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from predict_cases import (
    KEYPOINTS,
    NAMES,
    SKELETON,
    make_config,
    make_picture,
    marked,
    write_checkpoint,
    write_layout_checkpoint,
    write_pictures,
    write_video,
)
from tiny_cape import build_cape

from cape_mm.datasets.categories import Category
from cape_mm.datasets.collate import collate_episodes
from cape_mm.datasets.episode_packing import pack_episode
from cape_mm.errors import ConfigError, ImageDecodeError, MissingDataError
from cape_mm.inference import CapeInferencer, SkippedInput
from cape_mm.inference.sources import Frame
from cape_mm.structures import Episode

BOX = [3.0, 4.0, 50.0, 40.0]


def predict_by_model(inferencer, shots, query, box) -> np.ndarray:
    """What the model says of an episode as the data set would make it."""
    pipeline, category = inferencer.pipeline, Category(0, '', '', 4, SKELETON, ())
    supports = [
        pipeline.pack(image, np.array([0, 0, 63.0, 59.0]), points, is_visible)
        for image, points, is_visible in shots
    ]
    truth = pipeline.pack(query, np.array(box), KEYPOINTS, np.ones(4, bool))
    ids = tuple(range(len(shots)))
    item = pack_episode(Episode(0, ids, (99,)), category, supports, [truth], [])
    (sample,) = inferencer.model.test_step(collate_episodes([item]))
    return sample.pred_instances.keypoints_orig.numpy()


def test_equals_the_models_own_prediction_of_the_same_episode(inferencer):
    query = make_picture(5)
    shots = [(make_picture(0), KEYPOINTS, np.ones(4, bool))]
    # boxes are cleaned as in evaluation: one pixel smaller
    expected = predict_by_model(inferencer, shots, query, [3.0, 4.0, 49.0, 39.0])
    (result,) = inferencer(query, BOX)
    np.testing.assert_allclose(result.keypoints, expected, atol=1e-3)
    np.testing.assert_array_equal(result.boxes, [[3.0, 4.0, 49.0, 39.0]])
    assert result.image_size == (64, 60)
    assert result.confidence.shape == result.visibility.shape == (1, 4)


@pytest.fixture(scope='module')
def by_layout(tmp_path_factory) -> CapeInferencer:
    """An inferencer of a layout head on a frozen backbone."""
    path = write_layout_checkpoint(tmp_path_factory.mktemp('layout') / 'epoch_1.pth')
    return marked(CapeInferencer(checkpoint=path, device='cpu'))


@pytest.mark.parametrize('num_shots', [1, 2])
def test_a_layout_head_is_inferred_as_any_other(by_layout, num_shots):
    query = make_picture(5)
    shots = [(make_picture(0), KEYPOINTS, np.ones(4, bool))]
    if num_shots == 2:
        by_layout.add_support(make_picture(1), KEYPOINTS + 2)
        shots.append((make_picture(1), KEYPOINTS + 2, np.ones(4, bool)))
    expected = predict_by_model(by_layout, shots, query, [3.0, 4.0, 49.0, 39.0])
    (result,) = by_layout(query, BOX)
    np.testing.assert_allclose(result.keypoints, expected, atol=1e-2)
    assert result.visibility is None or result.visibility.shape == (1, 4)
    assert (result.confidence > 0).all()


def test_more_shots_equal_an_episode_of_more_shots(inferencer):
    hidden = KEYPOINTS.copy()
    hidden[1] = np.nan
    inferencer.add_support(make_picture(1), hidden)
    seen = np.array([True, False, True, True])
    shots = [
        (make_picture(0), KEYPOINTS, np.ones(4, bool)),
        (make_picture(1), np.nan_to_num(hidden), seen),
    ]
    query = make_picture(5)
    expected = predict_by_model(inferencer, shots, query, [0, 0, 63.0, 59.0])
    (result,) = inferencer(query)
    np.testing.assert_allclose(result.keypoints, expected, atol=1e-3)
    together = marked(inferencer)
    together.set_support(
        [make_picture(0), make_picture(1)], [KEYPOINTS, hidden], SKELETON
    )
    (same,) = together(query)
    np.testing.assert_allclose(same.keypoints, result.keypoints, atol=1e-3)


def test_the_support_picture_and_its_points_matter(inferencer):
    query = make_picture(5)
    (first,) = inferencer(query)
    marked(inferencer, seed=7)
    (other,) = inferencer(query)
    assert np.abs(first.keypoints - other.keypoints).max() > 0.01
    inferencer.set_support(make_picture(0), KEYPOINTS[::-1], [(3, 2), (2, 1)])
    (turned,) = inferencer(query)
    np.testing.assert_allclose(turned.keypoints[:, ::-1], first.keypoints, atol=1e-3)


def test_batches_of_any_size_give_the_same(inferencer):
    pictures = [make_picture(seed, (40 + seed, 50)) for seed in range(7)]
    counts = [1, 3, 0, 2, 1, 1, 5]
    boxes = [
        np.array([[place + n, 2 * n, 20 + n, 25 + place] for n in range(count)])
        for place, count in enumerate(counts)
    ]
    one_by_one = inferencer(pictures, boxes, batch_size=1)
    for batch_size in (2, 4, 100):
        batched = inferencer(pictures, boxes, batch_size=batch_size)
        assert [r.source for r in batched] == [f'image {n}' for n in range(7)]
        for one, other in zip(one_by_one, batched):
            assert one.keypoints.shape == (len(one.boxes), 4, 2)
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
    assert [len(r.boxes) for r in one_by_one] == counts


def test_every_form_of_the_same_picture_is_the_same(inferencer, tmp_path):
    (path,) = write_pictures(tmp_path / 'a b', ['ünï cödé.png'])
    array = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    pillow = Image.fromarray(array[..., ::-1])
    (expected,) = inferencer(array)
    for given in (path, str(path), pillow, [pillow], tmp_path, f'{tmp_path}/*/*.png'):
        (result,) = inferencer(given)
        np.testing.assert_array_equal(result.keypoints, expected.keypoints)
    assert inferencer(path)[0].source == str(path)


def test_boxes_by_list_dictionary_and_function(inferencer, tmp_path):
    paths = write_pictures(tmp_path, ['a.png', 'b.png'])
    small, large = [[1, 2, 20, 20]], [[0, 0, 40, 40], [5, 5, 30, 30]]
    by_list = inferencer(paths, [small, large])
    by_name = inferencer(tmp_path, {str(paths[0]): small, paths[1]: large})
    for one, other in zip(by_list, by_name, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert [len(result.boxes) for result in by_list] == [1, 2]
    seen = []
    found = inferencer(paths, lambda image: seen.append(image.shape) or large)
    assert seen == [(60, 64, 3)] * 2 and [len(r.boxes) for r in found] == [2, 2]
    (whole, other) = inferencer(paths, [None, small])
    np.testing.assert_array_equal(whole.boxes, [[0, 0, 63, 59]])
    with pytest.raises(ConfigError, match='one entry per input, 2, got 3'):
        inferencer(paths, [small, large, small])
    with pytest.raises(ConfigError, match='no area inside the picture of 64 x 60'):
        inferencer(paths[0], [100, 100, 20, 20])
    with pytest.raises(ConfigError, match=r'\(N, 4\)'):
        inferencer(paths[0], [[1, 2, 3]])


def test_video_frames(inferencer, tmp_path):
    clip = write_video(tmp_path / 'clip.mp4', 7)
    results = inferencer(clip, every=3, batch_size=2, keep_images=True)
    assert [result.frame for result in results] == [0, 3, 6]
    (again,) = inferencer(results[1].image)
    np.testing.assert_allclose(again.keypoints, results[1].keypoints, atol=1e-3)


def test_iterating_is_lazy(inferencer, tmp_path):
    paths = write_pictures(tmp_path, [f'{n}.png' for n in range(6)])
    results = inferencer.iterate(tmp_path, batch_size=2)
    next(results)
    for path in paths[2:]:
        path.unlink()
    next(results)
    with pytest.raises(FileNotFoundError, match='2.png'):
        next(results)


def test_bad_inputs_raise_or_are_listed(inferencer, tmp_path):
    write_pictures(tmp_path, ['a.png', 'c.png'])
    (tmp_path / 'b.png').write_bytes(b'nothing')
    with pytest.raises(ImageDecodeError, match='b.png: does not decode'):
        inferencer(tmp_path)
    skipped: list[SkippedInput] = []
    results = inferencer(tmp_path, skipped=skipped)
    assert [Path(result.source).name for result in results] == ['a.png', 'c.png']
    assert [str(one) for one in skipped] == [
        f'{tmp_path}/b.png: does not decode (7 bytes): damaged, or of a format that is '
        f'not supported'
    ]
    with pytest.raises(MissingDataError, match='no such file or folder'):
        inferencer(tmp_path / 'none.png')
    with pytest.raises(ConfigError, match='got int'):
        inferencer([3])
    with pytest.raises(ConfigError, match='list of inputs is empty'):
        inferencer([])
    with pytest.raises(ConfigError, match='at least 1'):
        inferencer.iterate(tmp_path, batch_size=0)  # at once, not at the first result


def test_an_unusable_box_leaves_the_others(inferencer, tmp_path):
    write_pictures(tmp_path, ['a.png', 'b.png', 'c.png'])
    good, bad = [1, 2, 20, 30], [500, 500, 5, 5]
    boxes = {
        str(tmp_path / 'a.png'): [bad, good],
        str(tmp_path / 'b.png'): [bad],
    }
    skipped: list[SkippedInput] = []
    (result,) = inferencer(tmp_path, boxes, skipped=skipped)
    np.testing.assert_allclose(result.boxes, [[1, 2, 19, 29]])
    reasons = [(Path(one.source).name, one.reason[:20]) for one in skipped]
    assert reasons == [
        ('a.png', 'box [500.0, 500.0, 5'),
        ('b.png', 'box [500.0, 500.0, 5'),
        ('c.png', 'has no entry in bbox'),
    ]
    with pytest.raises(ConfigError, match='a.png: box .* has no area inside'):
        inferencer(tmp_path, boxes)


def test_a_call_keeps_the_support_that_it_began_with(inferencer):
    pictures = [make_picture(seed) for seed in range(3)]
    expected = inferencer(pictures, batch_size=1)
    results = inferencer.iterate(pictures, batch_size=1)
    marked(inferencer, seed=9)
    first = next(results)
    marked(inferencer, seed=10)
    for one, other in zip(expected, [first, *results]):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_threads_share_an_inferencer(inferencer):
    pictures = [make_picture(seed) for seed in range(2)]
    supports = [(make_picture(seed), KEYPOINTS + seed) for seed in range(3)]
    expected = []
    for support in supports:
        inferencer.set_support(*support)
        expected.append([r.keypoints for r in inferencer(pictures)])
    wrong: list[str] = []
    stop = threading.Event()

    def predict() -> None:
        while not stop.is_set():
            found = [r.keypoints for r in inferencer(pictures, batch_size=1)]
            if not any(np.allclose(found, one, atol=1e-3) for one in expected):
                wrong.append('a mixture of two supports')
                stop.set()

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        inferencer.set_support(*supports[turn % 3])
    stop.set()
    for thread in threads:
        thread.join(timeout=20)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def test_config_file_and_stored_config_give_the_same(checkpoint, inferencer, tmp_path):
    path = tmp_path / 'tiny.py'
    path.write_text(make_config().pretty_text)
    from_file = marked(CapeInferencer(path, checkpoint, 'cpu'))
    loaded = marked(CapeInferencer(make_config(), checkpoint, 'cpu'))
    (expected,) = inferencer(make_picture(5))
    for other in (from_file, loaded):
        (result,) = other(make_picture(5))
        np.testing.assert_array_equal(result.keypoints, expected.keypoints)


def test_options_reach_a_stored_config(checkpoint, inferencer):
    options = {'model.test_cfg': dict(mode='parallel')}
    parallel = marked(
        CapeInferencer(checkpoint=checkpoint, device='cpu', cfg_options=options)
    )
    (one,), (other,) = parallel(make_picture(5)), inferencer(make_picture(5))
    assert np.abs(one.keypoints - other.keypoints).max() > 1e-3


def test_a_cpu_convolves_in_channels_last_unless_told(checkpoint, inferencer):
    options = {'model.channels_last': False}
    plain = CapeInferencer(checkpoint=checkpoint, device='cpu', cfg_options=options)
    for made, layout in ((inferencer, torch.channels_last), (plain, None)):
        expected = layout or torch.contiguous_format
        assert made.model.memory_format == expected
    (one,), (other,) = marked(plain)(make_picture(5)), inferencer(make_picture(5))
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)


def test_two_encoders(tmp_path):
    model = dict(support_backbone=cape_backbone())
    path = write_checkpoint(tmp_path / 'two.pth', **model)
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    shots = [(make_picture(0), KEYPOINTS, np.ones(4, bool))]
    query = make_picture(5)
    expected = predict_by_model(inferencer, shots, query, [0, 0, 63.0, 59.0])
    (result,) = inferencer(query)
    np.testing.assert_allclose(result.keypoints, expected, atol=1e-3)


def test_a_query_costs_no_more_than_a_query(tmp_path):
    """The support is not encoded again, and its encoder sees no query."""
    model = dict(support_backbone=cape_backbone())
    path = write_checkpoint(tmp_path / 'two.pth', **model)
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    calls = []
    for name in (
        'backbone',
        'support_backbone',
        'keypoint_tokens',
        'pose_graph_encoder',
    ):
        part = getattr(inferencer.model, name)
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    marked(inferencer)
    assert calls == ['support_backbone', 'keypoint_tokens', 'pose_graph_encoder']
    calls.clear()
    inferencer([make_picture(5), make_picture(6)], batch_size=1)
    assert calls == ['backbone'] * 2


def cape_backbone() -> dict:
    """A second backbone."""
    return make_config().model.backbone.to_dict()


def test_checkpoints_that_do_not_fit(tmp_path, checkpoint):
    with pytest.raises(ConfigError, match='without the checkpoint that belongs to it'):
        CapeInferencer(make_config())
    bare = tmp_path / 'bare.pth'
    torch.save(build_cape(dtype=torch.float32).state_dict(), bare)
    with pytest.raises(ValueError, match='holds no config: name the config file'):
        CapeInferencer(checkpoint=bare)
    marked(CapeInferencer(make_config(), bare, 'cpu'))
    other = make_config(embed_dims=32, neck=dict(type='FPN', in_channels=[16, 32, 64],
                        out_channels=32, num_outs=3))  # fmt: skip
    with pytest.raises(ValueError, match='does not fit the model CAPE'):
        CapeInferencer(other, checkpoint)


def test_names_and_skeleton_are_kept(inferencer):
    assert inferencer.support.category.keypoint_names == tuple(NAMES)
    assert inferencer.support.category.skeleton == tuple(SKELETON)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_gpu_agrees_with_cpu(checkpoint, inferencer):
    on_gpu = marked(CapeInferencer(checkpoint=checkpoint, device='cuda'))
    (one,), (other,) = on_gpu(make_picture(5)), inferencer(make_picture(5))
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.1)


def test_what_was_cropped_before_is_predicted_alike(inferencer):
    """Any number of times, and for other supports."""
    images = [make_picture(seed) for seed in (1, 2)]
    boxes = [[[5, 6, 40, 30], [1, 1, 60, 50]], None]
    frames = [Frame(f'image {i}', None, image) for i, image in enumerate(images)]
    tasks = [inferencer.crop(frame, own) for frame, own in zip(frames, boxes)]
    for seed in (0, 3):
        marked(inferencer, seed)
        expected = inferencer(images, boxes)
        for one, other in zip(inferencer.iterate_cropped(tasks), expected, strict=True):
            assert one.source == other.source
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-4)
            np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)
