"""Source data sets of MP-100 as they lie on disk once unpacked, made of small files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cape_mm.data_tools.mp100_sources import source_of_image

NAMES = {
    'COCO': 'human_body/000000010069.jpg',
    '300W': 'human_face/helen/trainset/1037255513_1.jpg',
    'AFLW': 'amur_tiger_body/flickr/0/image68022.png',
    'OneHand10K': 'human_hand/Train/source/1004.jpg',
    'DeepFashion2': 'skirt/001092.jpg',
    'AP-10K': 'squirrel_body/000000051890.jpg',
    'MacaquePose': 'macaque_body/022c71451277faa4.jpg',
    'Vinegar Fly': 'fly_body/10.jpg',
    'Desert Locust': 'locust_body/10.jpg',
    'CUB-200': 'woodpecker_body/Red_Headed_Woodpecker_0005_183414.jpg',
    'CarFusion': 'suv/1500801201.jpg',
    'AnimalWeb': 'quokka_face/quokka_13.jpg',
    'Keypoint-5': 'sofa/00000019.jpg',
}
"""An image of each source, by its real name in MP-100."""
CUB_CLASSES = {
    'Downy_Woodpecker': '192.Downy_Woodpecker',
    'Red_Headed_Woodpecker': '191.Red_headed_Woodpecker',
}
SCENES = ('test/car_penn1', 'train/car_butler1', 'train/car_craig2')


def published_path(file_name: str) -> str:
    """Where a source's archive puts the image of this name in MP-100.

    Written down by hand, not derived from the layouts that it tests.
    """
    folder, _, inner = file_name.partition('/')
    name = inner.rpartition('/')[2]
    species = name.rpartition('_')[0].rpartition('_')[0]
    return {
        'COCO': f'coco/train2017/{name}',
        '300W': f'300w/{inner}',
        'AFLW': f'AFLW/aflw/data/{inner}',
        'OneHand10K': f'OneHand10K/{inner}',
        'DeepFashion2': f'DeepFashion2/train/image/{name}',
        'AP-10K': f'ap-10k/data/{name}',
        'MacaquePose': f'macaquepose_v1/v1/images/{name}',
        'Vinegar Fly': f'vinegar_fly/images/{name}',
        'Desert Locust': f'desert_locust/images/{name}',
        'CUB-200': f'CUB_200_2011/images/{CUB_CLASSES.get(species, "001." + species)}'
        f'/{name}',
        'CarFusion': f'carfusion/{folder}/{name}',
        'AnimalWeb': f'AnimalWeb/animal_dataset_v1_clean_check/{name}',
        'Keypoint-5': f'keypoint-5/{folder}/images/{name}',
    }[source_of_image(file_name)]


def write_bytes(path: Path, content: bytes | str) -> Path:
    """A file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def make_source_tree(root: Path, file_names: Iterable[str]) -> Path:
    """Files in their published places; each holds its own name in MP-100."""
    for file_name in dict.fromkeys(file_names):
        write_bytes(root / published_path(file_name), file_name)
    return root


def make_scene(
    root: Path,
    scene: str,
    frame: str,
    points: Iterable[tuple[int, int]],
    car: int = 7,
) -> Path:
    """One frame of a CarFusion scene with the labels of one car; returns the image."""
    lines = [f'{x},{y},{i + 1},{car},1' for i, (x, y) in enumerate(points)]
    write_bytes(root / scene / f'gt/{frame}.txt', '\n'.join(lines) + '\n')
    return write_bytes(root / scene / f'images_jpg/{frame}.jpg', f'{scene} {frame}')


def snapshot(root: Path) -> Mapping[str, tuple[bytes | str, int]]:
    """Content (or link target) and modification time of everything in a folder."""
    found = {}
    for path in sorted(root.rglob('*')):
        status = path.lstat()
        if path.is_symlink():
            found[str(path)] = (str(path.readlink()), status.st_mtime_ns)
        elif path.is_file():
            found[str(path)] = (path.read_bytes(), status.st_mtime_ns)
        else:
            found[str(path)] = ('folder', status.st_mtime_ns)
    return found
