"""Names of the pictures and files of the runs that are tested."""

from __future__ import annotations

from pathlib import Path

from cape_mm.inference.predicting import PredictRequest

PICTURES = [f'frame {n}.png' for n in range(5)] + ['z/ünï.jpg', 'z/y.bmp']
OUTPUTS = ('predictions.json', 'predictions.csv')


def contents(request: PredictRequest) -> dict[str, bytes]:
    return {name: (Path(request.out) / name).read_bytes() for name in OUTPUTS}
