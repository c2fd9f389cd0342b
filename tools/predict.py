"""Mark keypoints on one picture, get them on all the others.

Reads pictures, folders and videos; writes labels (COCO by default) and pictures with
the keypoints drawn on them. Started again after an interruption, it goes on.
"""

from __future__ import annotations

import argparse
import sys

from command_line import (
    add_cfg_options,
    add_model,
    add_trust_option,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """examples:
  python tools/predict.py --support labels.json --queries frames/ --out predictions
  python tools/predict.py CHECKPOINT --support bird.jpg --queries clip.mp4 \\
      --every 5 --smooth one_euro --out predictions
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    add_model(parser)
    parser.add_argument('--out', required=True, help='folder for the results')
    add_support_options(parser.add_argument_group('support'))
    add_query_options(parser.add_argument_group('queries'))
    add_output_options(parser.add_argument_group('output'))
    parser.add_argument('--batch-size', type=int, default=16, help='default: 16')
    parser.add_argument('--device', help='e.g. cuda:1 (a GPU if there is one)')
    add_trust_option(parser)
    add_cfg_options(parser, 'model.test_cfg.mode=parallel')
    return parser.parse_args()


def add_support_options(group: argparse._ArgumentGroup) -> None:
    """What is marked."""
    group.add_argument(
        '--support',
        required=True,
        help='labels: COCO, LabelMe, CVAT, Label Studio, DeepLabCut or our CSV; or a '
        "picture with LabelMe's file beside it",
    )
    group.add_argument('--support-images', help="folder of the labels' pictures")
    group.add_argument('--support-format', help='format of the labels (found out)')
    group.add_argument('--category', help='id or name, where there are several')
    group.add_argument(
        '--num-shots',
        type=int,
        default=1,
        help='labelled instances to use, 0 for all (1, the first)',
    )
    group.add_argument(
        '--support-pictures', nargs='+', default=(), help='names of those to use'
    )
    group.add_argument(
        '--skeleton',
        nargs='+',
        type=edge,
        metavar='A-B',
        help='edges between keypoints from 0, e.g. 0-1 1-2 (those of the labels)',
    )
    group.add_argument(
        '--adapt',
        nargs='?',
        type=int,
        const=40,
        metavar='STEPS',
        help='train so many steps on the support and on queries first (40)',
    )


def add_query_options(group: argparse._ArgumentGroup) -> None:
    """What is predicted."""
    group.add_argument(
        '--queries',
        required=True,
        nargs='+',
        help='pictures, folders, patterns, videos',
    )
    group.add_argument('--boxes', help='COCO file with boxes (the whole picture)')
    group.add_argument(
        '--truth', help='labels of the queries: says how near the predictions are'
    )
    group.add_argument(
        '--every', type=int, default=1, help='of videos, every n-th frame (1)'
    )
    group.add_argument('--smooth', help='of videos: one_euro or median (not)')


def add_output_options(group: argparse._ArgumentGroup) -> None:
    """What is written."""
    group.add_argument(
        '--formats',
        nargs='+',
        default=('coco', 'csv'),
        help='those to write instead of coco and csv: coco csv labelme cvat '
        'label_studio deeplabcut sleap',
    )
    group.add_argument(
        '--no-overlay',
        dest='overlay',
        action='store_false',
        help='draw no pictures and videos',
    )
    group.add_argument(
        '--min-confidence',
        type=float,
        default=0.0,
        help='draw keypoints from this confidence on (0)',
    )
    group.add_argument(
        '--force', action='store_true', help='replace the results of another run'
    )


def edge(text: str) -> tuple[int, int]:
    """``'0-1'`` to ``(0, 1)``."""
    start, end = text.split('-')
    return int(start), int(end)


def main() -> int:
    """Predict; the exit code is 1 if an input was skipped."""
    args = parse_args()
    complete: list[bool] = []

    def predict() -> None:
        from cape_mm.inference import PredictRequest, predict_files

        values = library_arguments(args)
        values.pop('trust_checkpoint')
        done = predict_files(PredictRequest(**values))
        print(done)
        complete.append(not done.skipped)

    hint = 'The same command goes on where it stopped.'
    code = run_tool(predict, hint, args.trust_checkpoint)
    return code or int(not all(complete))


if __name__ == '__main__':
    sys.exit(main())
