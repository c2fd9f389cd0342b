"""Answer Label Studio: annotate one picture there, and get points on the others.

The access token of Label Studio (Account & Settings, Access Token) is read from the
environment variable LABEL_STUDIO_API_KEY.
"""

from __future__ import annotations

import argparse
import os
import sys

from command_line import add_model, add_trust_option, new_parser, run_tool

EXAMPLE = """examples:
  LABEL_STUDIO_API_KEY=... python tools/label_studio_backend.py
  LABEL_STUDIO_API_KEY=... python tools/label_studio_backend.py \\
      work_dirs/cape_tiny/epoch_4.pth --label-studio http://10.0.0.5:8080 \\
      --host 0.0.0.0 --token "$(cat token.txt)"
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    add_model(parser)
    parser.add_argument('--device', help="e.g. 'cuda:1' (a GPU if there is one)")
    parser.add_argument(
        '--label-studio',
        default=os.environ.get('LABEL_STUDIO_URL', 'http://127.0.0.1:8080'),
        metavar='URL',
        help='address of Label Studio (LABEL_STUDIO_URL, or http://127.0.0.1:8080)',
    )
    parser.add_argument(
        '--local-files',
        metavar='FOLDER',
        help="Label Studio's LOCAL_FILES_DOCUMENT_ROOT, to read files from the disk",
    )
    parser.add_argument(
        '--support-tag',
        metavar='CHOICE',
        help='only tasks annotated with this choice are supports (the latest 5)',
    )
    parser.add_argument(
        '--adapt',
        action='store_true',
        help='train a little on the supports in the background, a minute on a CPU',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at; any but 127.0.0.1 needs a --token (127.0.0.1)',
    )
    parser.add_argument('--port', type=int, default=9090, help='port (9090)')
    parser.add_argument(
        '--token', help='password that Label Studio has to give, with any user name'
    )
    add_trust_option(parser)
    return parser.parse_args()


def main() -> int:
    """Serve."""
    args = parse_args()

    def answer() -> None:
        from cape_mm.annotators.label_studio import LabelStudioBackend
        from cape_mm.annotators.label_studio_client import LabelStudioClient
        from cape_mm.annotators.label_studio_server import serve
        from cape_mm.inference import CapeInferencer

        key = os.environ.get('LABEL_STUDIO_API_KEY', '')
        client = LabelStudioClient(args.label_studio, key, args.local_files)

        def load() -> CapeInferencer:
            return CapeInferencer(args.config, args.checkpoint, args.device)

        def make_backend() -> LabelStudioBackend:
            options = str(args.checkpoint), args.support_tag, args.adapt
            return LabelStudioBackend(client, load, *options)

        serve(make_backend, args.host, args.port, args.token)

    return run_tool(answer, 'The back end is closed.', args.trust_checkpoint)


if __name__ == '__main__':
    sys.exit(main())
