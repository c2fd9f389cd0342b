"""The function for CVAT, against the types of its SDK."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from predict_cases import NAMES, SIZE, make_picture, write_support

pytest.importorskip('cvat_sdk', reason='cvat-sdk is not installed')
from cvat_sdk import auto_annotation  # noqa: E402

from cape_mm.annotators.cvat import create  # noqa: E402
from cape_mm.errors import CapeError  # noqa: E402


class Context(auto_annotation.DetectionFunctionContext):
    """What CVAT tells of a frame."""

    frame_name = 'frame.png'
    conf_threshold = None
    conv_mask_to_poly = False


@pytest.fixture
def function(tmp_path, weights):
    """With one marked picture."""
    return create(str(write_support(tmp_path)), checkpoint=str(weights))


def picture(seed: int) -> Image.Image:
    return Image.fromarray(make_picture(seed)[..., ::-1])


def test_spec_is_a_skeleton(function):
    [label] = function.spec.labels
    assert (label.name, label.type) == ('mouse', 'skeleton')
    assert [point.name for point in label.sublabels] == NAMES


def test_points_are_those_of_the_inferencer(function):
    [shape] = function.detect(Context(), picture(5))
    [result] = function._inferencer(make_picture(5))
    found = [element.points for element in shape.elements]
    assert np.allclose(found, np.clip(result.keypoints[0], 0, SIZE))
    assert [element.label_id for element in shape.elements] == [0, 1, 2, 3]
    assert shape.label_id == 0
    assert not any(element.outside for element in shape.elements)


def test_threshold(function):
    [result] = function._inferencer(make_picture(5))
    context = Context()
    context.conf_threshold = float(np.sort(result.confidence[0])[2])
    [shape] = function.detect(context, picture(5))
    assert sorted(element.outside for element in shape.elements) == [0, 0, 1, 1]
    context.conf_threshold = 1.0
    assert function.detect(context, picture(5)) == []


def test_point_that_the_support_does_not_mark_is_outside(tmp_path, weights):
    marks = [10, 12, 2, 0, 0, 0, 30, 50, 2, 0, 0, 0]
    path = write_support(tmp_path, keypoints=marks)
    function = create(str(path), label='rat', checkpoint=str(weights))
    [shape] = function.detect(Context(), picture(5))
    assert [element.outside for element in shape.elements] == [False, True, False, True]
    assert function.spec.labels[0].name == 'rat'


def test_wrong_parameters_are_told(tmp_path, weights):
    with pytest.raises(CapeError, match='no such file'):
        create(str(tmp_path / 'none.json'), checkpoint=str(weights))
    with pytest.raises(CapeError, match='category'):
        create(str(write_support(tmp_path)), category='cat', checkpoint=str(weights))
