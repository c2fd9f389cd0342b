"""Where the images of MP-100 come from: thirteen source data sets, 100 folders.

Facts only, read from the annotation files and the instructions of the benchmark's
authors. The folder of a category is not always its name: person -> ``human_body``, the
bird Woodpecker -> ``woodpecker_body``, and the 19-point face (id 18) lies in
``amur_tiger_body``, although its images are human faces of AFLW and no tigers.
"""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_SOURCE = 'unknown'


@dataclass(frozen=True)
class Source:
    """One of the thirteen data sets.

    Attributes:
        name: as the literature writes it, e.g. 'AP-10K'.
        key: the same as a command-line option without its dashes, e.g. 'ap10k'.
        home_page: where to ask for it.
        download: which archive holds the images that MP-100 uses.
        folders: MP-100's image folder of each category id.
    """

    name: str
    key: str
    home_page: str
    download: str
    folders: dict[int, str]


def _folders(table: str) -> dict[int, str]:
    """Parse ``'72:human_body 18:amur_tiger_body'``."""
    pairs = (entry.split(':') for entry in table.split())
    return {int(category_id): folder for category_id, folder in pairs}


_ALL = (
    Source(
        name='COCO',
        key='coco',
        home_page='https://cocodataset.org/#download',
        download='2017 train images (train2017.zip) and val images (val2017.zip)',
        folders=_folders('72:human_body'),
    ),
    Source(
        name='300W',
        key='300w',
        home_page='https://ibug.doc.ic.ac.uk/resources/300-W/',
        download='the 300-W training archives (afw, helen, ibug, lfpw)',
        folders=_folders('40:human_face'),
    ),
    Source(
        name='AFLW',
        key='aflw',
        home_page='https://www.tugraz.at/institute/icg/research/team-bischof/lrs/'
        'downloads/aflw/',
        download='aflw-images-0, -2 and -3 (on request), unpacked to aflw/data/flickr',
        folders=_folders('18:amur_tiger_body'),
    ),
    Source(
        name='OneHand10K',
        key='onehand10k',
        home_page='https://www.yangangwang.com/papers/WANG-MCC-2018-10.html',
        download='OneHand10K (on request)',
        folders=_folders('80:human_hand'),
    ),
    Source(
        name='DeepFashion2',
        key='deepfashion2',
        home_page='https://github.com/switchablenorms/DeepFashion2',
        download='train.zip (password on request); not DeepFashion, as the first '
        'instructions had it, and neither test.zip nor validation.zip, which use the '
        'same file names for other pictures',
        folders=_folders("""
            1:skirt 8:sling_dress 11:vest_dress 17:sling 25:short_sleeved_shirt
            60:short_sleeved_dress 62:vest 64:long_sleeved_dress 67:trousers 75:shorts
            78:long_sleeved_outwear 83:short_sleeved_outwear 97:long_sleeved_shirt
        """),
    ),
    Source(
        name='AP-10K',
        key='ap10k',
        home_page='https://github.com/AlexTheBad/AP-10K',
        download='ap-10k.zip (folder data)',
        folders=_folders("""
            2:horse_body 3:dog_body 5:panda_body 6:hamster_body 9:panther_body
            15:pig_body 20:cat_body 21:bobcat_body 26:elephant_body 27:deer_body
            29:rabbit_body 30:bison_body 31:rhino_body 33:squirrel_body 35:gorilla_body
            42:sheep_body 43:spider_monkey_body 50:otter_body 52:leopard_body
            54:hippo_body 55:zebra_body 58:antelope_body 68:fox_body 70:skunk_body
            71:giraffe_body 73:lion_body 76:polar_bear_body 85:cheetah_body 87:cow_body
            88:rat_body 90:raccoon_body 91:beaver_body 95:weasel_body 100:wolf_body
        """),
    ),
    Source(
        name='MacaquePose',
        key='macaquepose',
        home_page='http://www.pri.kyoto-u.ac.jp/datasets/macaquepose/index.html',
        download='macaquepose_v1.zip (folder images)',
        folders=_folders('92:macaque_body'),
    ),
    Source(
        name='Vinegar Fly',
        key='vinegar-fly',
        home_page='https://github.com/jgraving/DeepPoseKit-Data',
        download='images extracted from datasets/fly/annotation_data_release.h5 as '
        '<index>.jpg; the MMPose documentation offers them ready-made',
        folders=_folders('66:fly_body'),
    ),
    Source(
        name='Desert Locust',
        key='desert-locust',
        home_page='https://github.com/jgraving/DeepPoseKit-Data',
        download='images extracted from datasets/locust/annotation_data_release.h5 as '
        '<index>.jpg; the MMPose documentation offers them ready-made',
        folders=_folders('44:locust_body'),
    ),
    Source(
        name='CUB-200',
        key='cub200',
        home_page='https://www.vision.caltech.edu/datasets/cub_200_2011/',
        download='CUB_200_2011.tgz (folder images)',
        folders=_folders("""
            14:woodpecker_body 16:wren_body 28:gull_body 41:kingfisher_body
            46:sparrow_body 53:tern_body 59:grebe_body 86:warbler_body
        """),
    ),
    Source(
        name='CarFusion',
        key='carfusion',
        home_page='http://www.cs.cmu.edu/~ILIM/projects/IM/CarFusion/cvpr2018/'
        'index.html',
        download='the train and test scenes (on request), images_jpg and gt of each',
        folders=_folders('32:car 38:bus 51:suv'),
    ),
    Source(
        name='AnimalWeb',
        key='animalweb',
        home_page='https://fdmaproject.wordpress.com/author/fdmaproject/',
        download='animal_dataset_v1_c.rar',
        folders=_folders("""
            4:fennecfox_face 7:chipmunk_face 10:klipspringer_face
            12:przewalskihorse_face 13:californiansealion_face 19:arcticwolf_face
            22:guanaco_face 23:fallowdeer_face 24:dassie_face 34:greyseal_face
            36:quokka_face 37:camel_face 47:alpaca_face 48:goldenretriever_face
            56:onager_face 57:bonobo_face 61:gibbons_face 63:ferret_face
            65:pademelon_face 69:olivebaboon_face 74:germanshepherddog_face
            77:commonwarthog_face 79:grizzlybear_face 81:bighornsheep_face
            82:capebuffalo_face 89:proboscismonkey_face 93:gerbil_face
            94:blackbuck_face 96:gentoopenguin_face 99:capybara_face
        """),
    ),
    Source(
        name='Keypoint-5',
        key='keypoint5',
        home_page='https://github.com/jiajunwu/3dinn',
        download='keypoint-5.zip',
        folders=_folders('39:swivelchair 45:chair 49:sofa 84:bed 98:table'),
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
"""The thirteen source data sets by name."""

CATEGORY_FOLDERS: dict[int, str] = {
    category_id: folder
    for source in _ALL
    for category_id, folder in sorted(source.folders.items())
}
"""Image folder of each of the 100 category ids."""

_SOURCE_OF_FOLDER = {
    folder: (source.name, category_id)
    for source in _ALL
    for category_id, folder in source.folders.items()
}


def source_of_image(file_name: str, category_id: int | None = None) -> str:
    """Name of the source data set of an image of MP-100.

    The folder decides. Another data set may have a folder of the same name (such as
    ``human_hand``), which the category's id tells apart.

    Args:
        file_name: as the annotation file has it, ``<folder>/<file>``.
        category_id: category of an annotation of this image, or None if not known.

    Returns:
        A key of :data:`SOURCES`, or 'unknown' where the folder is none of MP-100's or
        is that of another category.
    """
    folder, slash, _ = file_name.replace('\\', '/').partition('/')
    if not slash or folder not in _SOURCE_OF_FOLDER:
        return UNKNOWN_SOURCE
    name, expected_id = _SOURCE_OF_FOLDER[folder]
    if category_id is not None and category_id != expected_id:
        return UNKNOWN_SOURCE
    return name
