"""The components of the page, from top to bottom."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from . import page_assets as assets
from .marking import MODES
from .pictures import Limits


def picture_files(name: str, count: str) -> gr.File:
    """A place to drop files, which hands over pairs of a name and the uploaded copy.

    The name is that on the user's computer, which Gradio's own value leaves out.

    Args:
        name: of the component.
        count: ``'single'`` or ``'multiple'``.
    """
    drop = gr.File(file_count=count, height=130, show_label=False, elem_id=name)

    def preprocess(payload: ListFiles | FileData | None) -> list[tuple[str, Path]]:
        if payload is None:
            return []
        files = payload if isinstance(payload, ListFiles) else [payload]
        return [(file.orig_name or 'picture', Path(file.path)) for file in files]

    # Not a subclass: Gradio writes a file beside the module of every component class.
    drop.preprocess = preprocess
    return drop


class Layout:
    """Lays the components out within the ``gr.Blocks`` that is open.

    Args:
        model_name: of the checkpoint, for people.
        limits: for the texts.
    """

    def __init__(self, model_name: str, limits: Limits) -> None:
        self.limits = limits
        gr.Markdown(assets.INTRO)
        self._lay_out_support()
        self._lay_out_queries()
        self._lay_out_results()
        self._lay_out_download()
        note = assets.PRIVACY_NOTE
        gr.Markdown(f'Model: {html.escape(model_name)}. {note}', elem_id='model')

    def _lay_out_support(self) -> None:
        _step(f'1 · Choose a support picture (at most {self._size_limit})')
        self.support_files = picture_files('support_files', 'single')
        _step('2 · Mark the points')
        with gr.Row():
            with gr.Column(scale=3):
                self.mode = gr.Radio(
                    MODES,
                    value=MODES[0],
                    label='A click on the picture',
                    elem_id='mode',
                )
                self.support_hint = gr.Markdown(
                    elem_id='support_hint', elem_classes='hint'
                )
                self.support = _picture('support_view')
            with gr.Column(scale=2):
                self.names = gr.Textbox(
                    label='Names of the points (optional)',
                    info=assets.NAMES_NOTE,
                    placeholder='nose, left ear, right ear, tail',
                    elem_id='names',
                )
                self.support_table = gr.Dataframe(
                    headers=['#', 'name', 'x', 'y'],
                    column_widths=['12%', '44%', '22%', '22%'],
                    interactive=True,
                    elem_id='support_table',
                    **assets.TABLE,
                )
                with gr.Row():
                    self.undo = _button('Undo', 'undo', size='sm')
                    self.delete = _button('Delete point', 'delete', size='sm')
                    self.remove = _button('Remove picture', 'remove', size='sm')
                self.shots = gr.Radio(
                    [], label='Support pictures', visible=False, elem_id='shots'
                )
        self.support_drag = _drag_field('support_drag')

    def _lay_out_queries(self) -> None:
        _step(
            f'3 · Upload the pictures to predict (up to {self.limits.max_queries}, '
            f'each at most {self._size_limit})'
        )
        with gr.Row():
            with gr.Column(scale=3):
                self.query_files = picture_files('query_files', 'multiple')
            with gr.Column(scale=2):
                with gr.Row():
                    self.predict = _button('Predict', 'predict', variant='primary')
                    self.clear = _button('Remove all', 'clear')
                self.status = gr.Markdown(elem_id='status')

    def _lay_out_results(self) -> None:
        _step('4 · Check and correct')
        self.threshold = gr.Slider(
            *(0, 1, 0.3),
            step=0.01,
            label='Confidence threshold',
            info='Predicted points of less confidence are left out.',
            elem_id='threshold',
        )
        self.gallery = gr.Gallery(
            **dict(columns=5, height=230, object_fit='contain', format='jpeg'),
            **dict(allow_preview=False, interactive=False, buttons=[]),
            show_label=False,
            elem_id='gallery',
        )
        with gr.Row():
            with gr.Column(scale=3):
                self.query_hint = gr.Markdown(elem_id='query_hint', elem_classes='hint')
                self.query = _picture('query_view')
            with gr.Column(scale=2):
                with gr.Row():
                    self.previous = _button('Previous', 'previous')
                    self.next = _button('Next', 'next')
                self.query_table = gr.Dataframe(
                    headers=['#', 'name', 'x', 'y', 'confidence'],
                    column_widths=['9%', '29%', '18%', '18%', '26%'],
                    interactive=False,
                    elem_id='query_table',
                    **assets.TABLE,
                )
                with gr.Row():
                    self.query_undo = _button('Undo', 'query_undo', size='sm')
                    self.absent = _button('Not in the picture', 'absent', size='sm')
                self.reuse = _button(
                    'This is right: use it as another support', 'reuse'
                )
        self.query_drag = _drag_field('query_drag')

    def _lay_out_download(self) -> None:
        _step('5 · Download')
        with gr.Row(equal_height=True):
            self.category = gr.Textbox(
                label='What do the pictures show?', value='object', elem_id='category'
            )
            self.download = gr.DownloadButton(
                'Download COCO JSON',
                variant='primary',
                interactive=False,
                elem_id='download',
            )
        gr.Markdown(assets.DOWNLOAD_NOTE)

    @property
    def _size_limit(self) -> str:
        return f'{self.limits.max_file_bytes // 2**20} MB'


def _step(text: str) -> None:
    gr.Markdown(f'### {text}', elem_classes='step')


def _picture(name: str) -> gr.Image:
    return gr.Image(
        interactive=False, buttons=[], format='jpeg', show_label=False, elem_id=name
    )


def _button(
    label: str, name: str, variant: str = 'secondary', size: str = 'md'
) -> gr.Button:
    return gr.Button(label, variant=variant, elem_id=name, min_width=90, size=size)


def _drag_field(name: str) -> gr.Textbox:
    """What the page's script writes a drag into; nobody sees it."""
    return gr.Textbox(elem_id=name, elem_classes='drag-data', container=False)
