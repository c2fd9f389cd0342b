"""The files on disk: layout, determinism and re-use."""

import hashlib
import json
from unittest import mock

import cv2
import pytest
from pycocotools.coco import COCO

from cape_mm.datasets.synthetic import writer
from cape_mm.datasets.synthetic.spec import SPLITS
from cape_mm.datasets.synthetic.writer import annotation_path, write_synthetic_mp100
from cape_mm.errors import ConfigError

SMALL = dict(
    num_categories=dict(train=3, val=1, test=2),
    instances_per_category=8,
    image_size=48,
    double_share=0.3,
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('synthetic') / 'data'
    write_synthetic_mp100(out, seed=7, num_workers=1, **SMALL)
    return out


def load(root, split):
    return json.loads(annotation_path(root, split).read_text())


def digests(root):
    files = sorted(p for p in root.rglob('*') if p.is_file())
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }


def test_bytes_do_not_depend_on_the_number_of_workers(root, tmp_path):
    write_synthetic_mp100(tmp_path / 'two', seed=7, num_workers=2, **SMALL)
    assert digests(tmp_path / 'two') == digests(root)


@pytest.mark.parametrize('split', SPLITS)
def test_layout_loads_with_pycocotools(root, split):
    coco = COCO(str(annotation_path(root, split)))
    assert len(coco.getCatIds()) == SMALL['num_categories'][split]
    for image in coco.loadImgs(coco.getImgIds()):
        picture = cv2.imread(str(root / 'images' / image['file_name']))
        assert picture.shape == (image['height'], image['width'], 3)
        assert coco.getAnnIds(image['id'])
    fields = {'id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd'}
    fields |= {'num_keypoints', 'keypoints'}
    for annotation in coco.loadAnns(coco.getAnnIds()):
        (category,) = coco.loadCats(annotation['category_id'])
        assert set(annotation) <= fields
        visibility = annotation['keypoints'][2::3]
        assert len(visibility) == len(category['keypoints'])
        assert annotation['num_keypoints'] == sum(v > 0 for v in visibility) > 0
        assert set(visibility) <= {0, 1, 2}
    number = SMALL['num_categories'][split] * SMALL['instances_per_category']
    assert len(coco.anns) == number


def test_identical_data_set_is_reused(root, monkeypatch):
    draw_again = mock.Mock(side_effect=AssertionError('drawn again'))
    monkeypatch.setattr(writer, '_write_files', draw_again)
    summary = write_synthetic_mp100(root, seed=7, **SMALL)
    assert summary.is_reused


def test_other_or_damaged_data_set_needs_force(tmp_path):
    out = tmp_path / 'data'
    write_synthetic_mp100(out, seed=7, num_workers=1, **SMALL)
    with pytest.raises(ConfigError, match='seed: found 7, wanted 8.*--force'):
        write_synthetic_mp100(out, seed=8, num_workers=1, **SMALL)
    next((out / 'images').rglob('*.jpg')).unlink()
    with pytest.raises(ConfigError, match='1 of its images are missing'):
        write_synthetic_mp100(out, seed=7, num_workers=1, **SMALL)
    summary = write_synthetic_mp100(out, seed=8, num_workers=1, force=True, **SMALL)
    assert not summary.is_reused and load(out, 'val')['info']['seed'] == 8
    assert [p.name for p in tmp_path.iterdir()] == ['data']


def test_foreign_folder_is_never_replaced(tmp_path):
    (tmp_path / 'thesis.tex').write_text('precious')
    with pytest.raises(ConfigError, match='is left alone'):
        write_synthetic_mp100(tmp_path, seed=7, force=True, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


def test_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, 'render_picture', interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_mp100(tmp_path / 'data', seed=7, num_workers=1, **SMALL)
    assert list(tmp_path.iterdir()) == []
