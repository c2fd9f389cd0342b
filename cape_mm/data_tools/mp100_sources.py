"""The thirteen source data sets of MP-100: their folders, and how they lie on disk.

Facts only, read from the annotation files and the instructions of the benchmark's
authors. The folder of a category is not always its name: person -> ``human_body``, the
bird Woodpecker -> ``woodpecker_body``, and the 19-point face (id 18) lies in
``amur_tiger_body``, although its images are human faces of AFLW and no tigers.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, MissingDataError

UNKNOWN_SOURCE = 'unknown'


@dataclass(frozen=True)
class Source:
    """One of the thirteen data sets.

    Attributes:
        name: as the literature writes it, e.g. 'AP-10K'.
        key: the same as a command-line option without its dashes, e.g. 'ap10k'.
        download: which archive holds the images that MP-100 uses.
        folders: MP-100's image folder of each category id.
        places: patterns for the end of a file's path where the data set is unpacked as
            published, the preferred one first; ``{inner}`` is the path inside MP-100's
            folder, ``{name}`` its last part, ``{folder}`` MP-100's folder.
        guesses: names of the unpacked folder, letters and digits only.
        is_searched_anywhere: whether a file of the right name in another place will do
            (if its size in pixels does not contradict the annotations). False where
            the same name means different pictures in different folders.
        excluded: folders whose files have the same names as the ones asked for, but are
            other pictures.
    """

    name: str
    key: str
    download: str
    folders: dict[int, str]
    places: tuple[str, ...]
    guesses: tuple[str, ...]
    is_searched_anywhere: bool = True
    excluded: tuple[str, ...] = ()

    def patterns(self, file_name: str) -> list[str]:
        """Patterns of one image of MP-100, as ``Path.match`` takes them."""
        folder, inner, name = map(glob.escape, split_name(file_name))
        return [
            place.format(inner=inner, name=name, folder=folder) for place in self.places
        ]

    def names(self, file_name: str) -> list[str]:
        """Base names that one image of MP-100 may have in the source."""
        name = split_name(file_name)[2]
        ends = (place.rpartition('/')[2] for place in self.places)
        others = (end.format(name=name, inner=name) for end in ends)
        return list(dict.fromkeys([name, *others]))


def split_name(file_name: str) -> tuple[str, str, str]:
    """First folder ('' without any), path inside it, and last part of a path."""
    folder, slash, inner = file_name.partition('/')
    return folder if slash else '', inner or file_name, file_name.rpartition('/')[2]


def _folders(table: str) -> dict[int, str]:
    """Parse ``'72:human_body 18:amur_tiger_body'``."""
    pairs = (entry.split(':') for entry in table.split())
    return {int(category_id): folder for category_id, folder in pairs}


_ALL = (
    Source(
        name='COCO',
        key='coco',
        download='2017 train images (train2017.zip) and val images (val2017.zip)',
        folders=_folders('72:human_body'),
        # the release of 2014 has the same pictures under longer names
        places=(
            *('train2017/{name}', 'val2017/{name}'),
            *('train2014/COCO_train2014_{name}', 'val2014/COCO_val2014_{name}'),
        ),
        guesses=('coco', 'coco2017', 'mscoco', 'train2017'),
    ),
    Source(
        name='300W',
        key='300w',
        download='the 300-W training archives (afw, helen, ibug, lfpw)',
        folders=_folders('40:human_face'),
        places=('{inner}',),
        guesses=('300w', 'ibug300w'),
    ),
    Source(
        name='AFLW',
        key='aflw',
        download='aflw-images-0, -2 and -3 (on request), unpacked to aflw/data/flickr',
        folders=_folders('18:amur_tiger_body'),
        places=('{inner}',),
        guesses=('aflw',),
    ),
    Source(
        name='OneHand10K',
        key='onehand10k',
        download='OneHand10K (on request)',
        folders=_folders('80:human_hand'),
        places=('{inner}',),
        guesses=('onehand10k',),
        excluded=('test', 'mask', 'label'),
    ),
    Source(
        name='DeepFashion2',
        key='deepfashion2',
        download='train.zip (password on request); not DeepFashion, as the first '
        'instructions had it, and neither test.zip nor validation.zip, which use the '
        'same file names for other pictures',
        folders=_folders("""
            1:skirt 8:sling_dress 11:vest_dress 17:sling 25:short_sleeved_shirt
            60:short_sleeved_dress 62:vest 64:long_sleeved_dress 67:trousers 75:shorts
            78:long_sleeved_outwear 83:short_sleeved_outwear 97:long_sleeved_shirt
        """),
        places=('train/image/{name}',),
        guesses=('deepfashion2',),
        excluded=('test', 'validation', 'val'),
    ),
    Source(
        name='AP-10K',
        key='ap10k',
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
        places=('data/{name}',),
        guesses=('ap10k',),
    ),
    Source(
        name='MacaquePose',
        key='macaquepose',
        download='macaquepose_v1.zip (folder images)',
        folders=_folders('92:macaque_body'),
        places=('images/{name}',),
        guesses=('macaquepose', 'macaqueposev1', 'macaque'),
    ),
    Source(
        name='Vinegar Fly',
        key='vinegar-fly',
        download='images extracted from datasets/fly/annotation_data_release.h5 as '
        '<index>.jpg; the MMPose documentation offers them ready-made',
        folders=_folders('66:fly_body'),
        places=('fly/images/{name}', 'vinegar_fly/images/{name}', 'fly/{name}'),
        guesses=('vinegarfly', 'fly', 'deepposekitdata'),
        excluded=('locust', 'desert_locust', 'zebra'),
    ),
    Source(
        name='Desert Locust',
        key='desert-locust',
        download='images extracted from datasets/locust/annotation_data_release.h5 as '
        '<index>.jpg; the MMPose documentation offers them ready-made',
        folders=_folders('44:locust_body'),
        places=(
            *('locust/images/{name}', 'desert_locust/images/{name}', 'locust/{name}'),
        ),
        guesses=('desertlocust', 'locust', 'deepposekitdata'),
        excluded=('fly', 'vinegar_fly', 'zebra'),
    ),
    Source(
        name='CUB-200',
        key='cub200',
        download='CUB_200_2011.tgz (folder images)',
        folders=_folders("""
            14:woodpecker_body 16:wren_body 28:gull_body 41:kingfisher_body
            46:sparrow_body 53:tern_body 59:grebe_body 86:warbler_body
        """),
        places=('images/[0-9][0-9][0-9].*/{name}',),
        guesses=('cub2002011', 'cub200', 'cub'),
    ),
    Source(
        name='CarFusion',
        key='carfusion',
        download='the train and test scenes (on request), images_jpg and gt of each',
        folders=_folders('32:car 38:bus 51:suv'),
        # after the usual renaming; the published scenes are looked at first
        places=('{folder}/{name}',),
        guesses=('carfusion', 'carfusiondataset', 'carfusiontococo'),
    ),
    Source(
        name='AnimalWeb',
        key='animalweb',
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
        places=('animal_dataset_v1_clean_check/{name}',),
        guesses=('animalweb', 'animaldatasetv1cleancheck', 'animaldatasetv1c'),
    ),
    Source(
        name='Keypoint-5',
        key='keypoint5',
        download='keypoint-5.zip',
        folders=_folders('39:swivelchair 45:chair 49:sofa 84:bed 98:table'),
        # 00000019.jpg is a chair, a sofa and a swivel chair
        places=('{folder}/images/{name}', '{folder}/{name}'),
        guesses=('keypoint5',),
        is_searched_anywhere=False,
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


def guess_source_folders(parent: str | os.PathLike) -> dict[str, Path]:
    """Sources among the folders inside ``parent``, told by their names.

    Case, dashes and underscores do not matter: 'AP-10K', 'ap_10k' and 'ap10k' are one.

    Returns:
        Folder of each source found, by the source's name.

    Raises:
        MissingDataError: ``parent`` is no folder, or none of its folders is a source.
        ConfigError: two folders could be the same source.
    """
    parent = Path(parent)
    if not parent.is_dir():
        raise MissingDataError(
            f'sources {parent}: there is no such folder. Give the folder that holds '
            f'the unpacked data sets, or one option per data set, e.g. --ap10k DIR.'
        )
    by_name: dict[str, list[Path]] = {}
    for folder in sorted(filter(os.path.isdir, parent.iterdir())):
        by_name.setdefault(_simplify(folder.name), []).append(folder)
    found = {}
    for source, layout in SOURCES.items():
        name = next((guess for guess in layout.guesses if guess in by_name), None)
        if name is None:
            continue
        if len(by_name[name]) > 1:
            raise ConfigError(
                f'{" and ".join(map(str, by_name[name]))} could both be {source}. Say '
                f'which one it is: --{layout.key} DIR.'
            )
        found[source] = by_name[name][0]
    if not found:
        names = ', '.join(layout.guesses[0] for layout in SOURCES.values())
        raise MissingDataError(
            f'sources {parent}: none of its folders has the name of a source data '
            f'set ({names}). Give one option per data set instead, e.g. --ap10k DIR.'
        )
    return found


def _simplify(name: str) -> str:
    return re.sub(r'[^a-z0-9]', '', name.casefold())
