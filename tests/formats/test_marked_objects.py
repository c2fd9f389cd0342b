"""LabelMe and Label Studio: whose points are whose, and which object is meant."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from cape_mm.errors import AnnotationFormatError, ConfigError
from cape_mm.formats import read_labels

MOUSE = dict(nose=(10, 20), tail=(30, 40))
STAR = dict(nose=(50, 60), tip=(70, 80))
BOXES = dict(mouse=(5, 6, 30, 40), star=(45, 50, 30, 35))
SIZE = (200, 100)


def labelme(objects: list[tuple[str | None, dict, object]]) -> dict:
    """A picture's file; objects by box label, points and group."""
    shapes = []
    for label, points, group in objects:
        if label:
            x, y, w, h = BOXES[label]
            corners = [[x, y], [x + w, y + h]]
            shape = dict(label=label, points=corners, shape_type='rectangle')
            shapes.append(shape | dict(group_id=group))
        for name, point in points.items():
            shape = dict(label=name, points=[list(point)], shape_type='point')
            shapes.append(shape | dict(group_id=group))
    size = dict(imageWidth=SIZE[0], imageHeight=SIZE[1])
    return dict(shapes=shapes, imagePath='a.png', **size)


def percent(x: float, y: float) -> dict:
    return dict(x=100 * x / SIZE[0], y=100 * y / SIZE[1])


def studio(objects: list[tuple[str | None, dict, object]], labels: bool = False):
    """The same as an export of Label Studio; ``labels``: of the tag Labels."""
    results = []
    size = dict(original_width=SIZE[0], original_height=SIZE[1], image_rotation=0)
    for label, points, group in objects:
        if label:
            x, y, w, h = BOXES[label]
            side = percent(w, h)
            kind = 'labels' if labels else 'rectanglelabels'
            value = percent(x, y) | dict(width=side['x'], height=side['y'])
            value |= {kind: [label], 'rotation': 0}
            results.append(dict(id=group or 'b', type=kind, value=value, **size))
        for name, point in points.items():
            kind = 'labels' if labels else 'keypointlabels'
            value = percent(*point) | {'width': 0.4, kind: [name]}
            one = dict(id=f'{group}{name}', type=kind, value=value, **size)
            results.append(one | ({} if group is None else dict(parentID=group)))
    data = dict(image='/data/upload/1/0a1b2c3d-a.png')
    return [dict(data=data, annotations=[dict(result=results)])]


def read(tmp_path: Path, content: object, category: str | None = None):
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(content), encoding='utf-8')
    return read_labels(path, category=category)


BOTH = [('mouse', MOUSE, 'm'), ('star', STAR, 's')]
TOOLS = [labelme, studio, lambda objects: studio(objects, labels=True)]
both_tools = pytest.mark.parametrize('tool', TOOLS, ids=['labelme', 'studio', 'tag'])


@both_tools
def test_the_category_chooses_objects_and_their_points(tool, tmp_path):
    labels = read(tmp_path, tool(BOTH), 'star')
    assert (labels.category, labels.keypoint_names) == ('star', ('nose', 'tip'))
    ((instance,),) = (picture.instances for picture in labels.pictures)
    np.testing.assert_allclose(instance.keypoints, list(STAR.values()))
    np.testing.assert_allclose(instance.bbox, BOXES['star'])


@both_tools
def test_a_category_has_to_be_there_and_one_of_several_named(tool, tmp_path):
    with pytest.raises(ConfigError, match="no object is 'rat'.*: mouse, star"):
        read(tmp_path, tool(BOTH), 'rat')
    with pytest.raises(ConfigError, match='there are several.*: mouse, star'):
        read(tmp_path, tool(BOTH))


@both_tools
def test_boxes_without_points_tell_categories_too(tool, tmp_path):
    content = tool([('star', {}, 's'), (None, MOUSE, 'm')])
    with pytest.raises(ConfigError, match="no object is 'rat'.*: star"):
        read(tmp_path, content, 'rat')
    assert read(tmp_path, content).category == 'object'


@both_tools
def test_where_no_box_has_a_label_the_category_names(tool, tmp_path):
    labels = read(tmp_path, tool([(None, MOUSE, None)]), 'rat')
    assert (labels.category, labels.keypoint_names) == ('rat', ('nose', 'tail'))


@both_tools
@pytest.mark.parametrize(
    'objects',
    [
        [(None, MOUSE, None), (None, STAR, None)],
        [('mouse', MOUSE, 'm'), (None, MOUSE, 'm')],
        [('mouse', MOUSE, None), (None, STAR, None)],
    ],
)
def test_a_label_is_there_once_in_an_object(tool, objects, tmp_path):
    message = "labels.json.*'nose' is there more than once in one object.*told apart by"
    with pytest.raises(AnnotationFormatError, match=message):
        read(tmp_path, tool(objects))


def test_two_boxes_of_one_object(tmp_path):
    content = labelme([('mouse', MOUSE, None), ('mouse', {}, None)])
    with pytest.raises(AnnotationFormatError, match="several boxes 'mouse'"):
        read(tmp_path, content)


@pytest.mark.parametrize('kind', ['rectangle', 'rotation'])
def test_a_box_of_four_corners(kind, tmp_path):
    content = labelme([('mouse', MOUSE, None)])
    corners = [[5, 6], [35, 6], [35, 46], [5, 46]]
    content['shapes'][0] |= dict(points=corners, shape_type=kind)
    (picture,) = read(tmp_path, content).pictures
    assert picture.instances[0].bbox.tolist() == [5, 6, 30, 40]


def test_skipped_annotations_do_not_count(tmp_path):
    content = studio([('mouse', MOUSE, None)])
    good = content[0]['annotations'][0]
    wrong = deepcopy(good)
    wrong['result'][1]['value']['x'] = 0
    skipped = wrong | dict(was_cancelled=True)
    content[0]['annotations'] = [skipped, dict(result=[]), good, wrong]
    (picture,) = read(tmp_path, content).pictures
    assert picture.instances[0].keypoints[0].tolist() == [10, 20]
    content[0] |= dict(annotations=[skipped], predictions=[good])
    with pytest.raises(AnnotationFormatError, match='marks no keypoint'):
        read(tmp_path, content)


def test_pictures_turned_for_labelling_are_left_out(tmp_path):
    content = studio([('mouse', MOUSE, None)])
    turned = deepcopy(content[0])
    turned['data']['image'] = '/data/upload/1/0a1b2c3d-turned.png'
    for result in turned['annotations'][0]['result']:
        result['image_rotation'] = 90
    labels = read(tmp_path, [turned, *content])
    assert [picture.file_name for picture in labels.pictures] == ['a.png']
    (note,) = labels.notes
    assert '1 pictures left out' in note and 'turned.png' in note
    with pytest.raises(AnnotationFormatError, match='no keypoint.*image_rotation'):
        read(tmp_path, [turned])


def test_a_turned_box_is_the_upright_one_around_it(tmp_path):
    content = studio([('mouse', MOUSE, None)])
    content[0]['annotations'][0]['result'][0]['value']['rotation'] = 90
    (picture,) = read(tmp_path, content).pictures
    np.testing.assert_allclose(picture.instances[0].bbox, [5 - 40, 6, 40, 30])


@pytest.mark.parametrize(
    ('data', 'name'),
    [
        (dict(image='/data/local-files/?d=run%5C1%5Ca.png'), 'run/1/a.png'),
        (dict(image='C:\\pics\\a.png'), 'C:/pics/a.png'),
        (dict(photo='s3://bucket/x/a.JPG', text='hello'), 'x/a.JPG'),
        (dict(text='hello', frame='sub/a.png'), 'sub/a.png'),
        (dict(image='/data/local-files/?d=my%20run%2Fa%23b.png'), 'my run/a#b.png'),
        (dict(image='upload/3/0a1b2c3d-my%20a.png'), 'my a.png'),
        (dict(image='images/my%20a.png'), 'images/my a.png'),
        (dict(image='http://host:80/data/upload/3/0a1b2c3d-%C3%BC.png'), 'ü.png'),
        (dict(image='https://host/x/my%20a.png?sig=b%2F'), 'x/my a.png'),
        (dict(image='file:///C:/x/a%20b.png'), 'C:/x/a b.png'),
        (dict(image='file:///x/a%20b.png'), '/x/a b.png'),
        (dict(image='./x/../a.png'), 'a.png'),
    ],
)
def test_names_of_pictures(data, name, tmp_path):
    content = studio([('mouse', MOUSE, None)])
    content[0]['data'] = data
    assert [p.file_name for p in read(tmp_path, content).pictures] == [name]


def test_a_task_without_a_picture_names_what_it_has(tmp_path):
    content = studio([('mouse', MOUSE, None)])
    content[0]['data'] = dict(left='a.png', right='b.png')
    with pytest.raises(AnnotationFormatError, match=r"\['left', 'right'\], of which 2"):
        read(tmp_path, content)
    content[0]['data'] = dict(image='data:image/png;base64,AAAA')
    with pytest.raises(AnnotationFormatError, match='picture itself'):
        read(tmp_path, content)
