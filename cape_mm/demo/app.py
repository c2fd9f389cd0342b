"""Which event of the page calls which action, and what it shows afterwards."""

from __future__ import annotations

import hashlib
import html
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from ..errors import CapeError
from . import actions, views
from . import page_assets as assets
from .clicks import click_query, click_support
from .layout import Layout
from .pictures import Limits
from .session import DemoSession, SessionStore

Action = Callable[[DemoSession, object], Sequence[str] | None]

PRIVATE = dict(api_visibility='private', show_progress='hidden')
DOWNLOAD_NAME = 'keypoints_coco.json'
EXPORTS = 'exports'
DROPPED = (
    'Your pictures and points are gone: others have used the page since, and it keeps '
    'the work of a few users only. Please begin again.'
)


class Page:
    """The page and its events.

    Args:
        store: sessions of the users.
        folder: for the files that users download.
        model_name: of the checkpoint, for people.
        limits: for the texts.
    """

    def __init__(
        self, store: SessionStore, folder: Path, model_name: str, limits: Limits
    ) -> None:
        self.store, self.folder = store, folder
        with gr.Blocks(
            title=assets.TITLE, analytics_enabled=False, delete_cache=(300, 1800)
        ) as self.blocks:
            self.layout = Layout(model_name, limits)
            self._wire_support()
            self._wire_results()
            self.blocks.load(
                self._handler(_do_nothing, ('support', 'results')),
                None,
                self._outputs(('support', 'results')),
                **PRIVATE,
            )
            self.blocks.unload(self._leave)
        for block in self.blocks.blocks.values():
            _refuse_addresses(block)

    def _wire_support(self) -> None:
        page, both = self.layout, ('support', 'results')
        self._on(
            page.support_files.upload, actions.add_support, both, page.support_files
        )
        self._on(page.mode.input, actions.set_mode, ('support',), page.mode)
        self._on(page.support.select, click_support, both)
        self._on(
            page.support_drag.change, actions.drag_on_support, both, page.support_drag
        )
        self._on(page.names.submit, actions.set_names, both, page.names)
        self._on(page.support_table.input, actions.apply_rows, both, page.support_table)
        self._on(page.support_table.select, actions.select_row, ('support picture',))
        self._on(page.undo.click, lambda s, _: s.undo(), both)
        self._on(page.delete.click, actions.delete_point, both)
        self._on(page.remove.click, lambda s, _: s.remove_support(), both)
        self._on(
            page.shots.input, lambda s, i: s.show_shot(i), ('support',), page.shots
        )

    def _wire_results(self) -> None:
        page, all_of, one = self.layout, ('results',), ('query',)
        self._on(page.query_files.upload, actions.add_queries, all_of, page.query_files)
        self._on(page.clear.click, lambda s, _: s.clear_queries(), all_of)
        self._on(
            page.threshold.change, DemoSession.set_threshold, all_of, page.threshold
        )
        self._on(page.gallery.select, DemoSession.show_query, one)
        self._on(page.previous.click, lambda s, _: s.show_query(s.query - 1), one)
        self._on(page.next.click, lambda s, _: s.show_query(s.query + 1), one)
        self._on(page.query.select, click_query, all_of)
        self._on(page.query_drag.change, actions.drag_on_query, all_of, page.query_drag)
        self._on(page.query_table.select, actions.select_query_row, ('query picture',))
        self._on(page.absent.click, actions.say_absent, all_of)
        self._on(page.query_undo.click, lambda s, _: s.undo(), ('support', 'results'))
        self._on(page.reuse.click, actions.use_as_support, ('support', 'results'))
        self._on(page.category.change, DemoSession.set_category, all_of, page.category)
        page.predict.click(
            self._predict,
            None,
            self._outputs(('support', 'results')),
            api_visibility='private',
            show_progress_on=[page.query],
        )

    def _on(
        self,
        event: Callable,
        action: Action,
        shows: Sequence[str],
        source: Component | None = None,
    ) -> None:
        """Connect an event; ``source`` is the component whose value it passes on."""
        inputs = None if source is None else [source]
        event(
            self._handler(action, shows),
            inputs,
            self._outputs(shows),
            trigger_mode='always_last' if source is self.layout.threshold else None,
            **PRIVATE,
        )

    def _handler(self, action: Action, shows: Sequence[str]) -> Callable:
        def handle(request: gr.Request, event: gr.EventData, *values: object) -> list:
            value = values[0] if values else _index_of(event)
            if self.store.was_dropped(request.session_hash):
                gr.Warning(DROPPED)
            with self.store.use(request.session_hash) as session:
                try:
                    messages = action(session, value)
                except CapeError as error:
                    gr.Warning(html.escape(str(error)))
                    messages = None
                for message in messages or ():
                    gr.Info(html.escape(message))
                return self._show(session, request.session_hash, shows)

        return handle

    def _predict(
        self,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it there)
    ) -> list:
        def action(session: DemoSession, _: object) -> None:
            progress(0, desc='Encoding the support pictures')
            session.predict(lambda done, total: progress((done, total)))

        shows = ('support', 'results')
        return self._handler(action, shows)(request, None)

    def _leave(self, request: gr.Request) -> None:
        self.store.drop(request.session_hash)
        path = self._export_path(request.session_hash)
        self.layout.download.keep_in_cache.discard(str(path))
        shutil.rmtree(path.parent, ignore_errors=True)

    def _outputs(self, shows: Sequence[str]) -> list[Component]:
        page = self.layout
        groups = {
            'support picture': [page.support, page.support_hint],
            'support': [
                *(page.support, page.support_hint, page.support_table),
                *(page.shots, page.support_files, page.status),
            ],
            'query picture': [page.query, page.query_hint],
            'query': [page.query, page.query_hint, page.query_table],
            'results': [
                *(page.query, page.query_hint, page.query_table),
                *(page.gallery, page.query_files, page.download),
            ],
        }
        # the status line is part of 'support' only; results bring it where alone
        found = [part for name in shows for part in groups[name]]
        return found if page.status in found else [*found, page.status]

    def _show(self, session: DemoSession, key: str, shows: Sequence[str]) -> list:
        """Values of :meth:`_outputs`, in its order."""
        page = self.layout
        values: dict[Component, Callable[[], object]] = {
            page.support: lambda: views.support_view(session),
            page.support_hint: lambda: views.escaped(views.support_hint(session)),
            page.support_table: lambda: views.support_rows(session),
            page.shots: lambda: _shot_choice(session),
            page.support_files: lambda: None,
            page.status: lambda: views.status(session),
            page.query: lambda: views.query_view(session),
            page.query_hint: lambda: views.escaped(views.query_hint(session)),
            page.query_table: lambda: views.query_rows(session),
            page.gallery: lambda: views.thumbnails(session),
            page.query_files: lambda: None,
            page.download: lambda: self._download(session, key),
        }
        return [values[part]() for part in self._outputs(shows)]

    def _download(self, session: DemoSession, key: str) -> object:
        try:
            path = session.export_coco(self._export_path(key))
        except CapeError:  # nothing to download yet
            return gr.update(value=None, interactive=False)
        # not among the old files that Gradio removes: it may be fetched much later
        self.layout.download.keep_in_cache.add(str(path))
        return gr.update(value=str(path), interactive=True)

    def _export_path(self, key: str) -> Path:
        """A user's file; the key comes from the browser and is no name of a folder."""
        name = hashlib.sha256(str(key).encode()).hexdigest()
        return self.folder / EXPORTS / name / DOWNLOAD_NAME


def _index_of(event: gr.EventData | None) -> object:
    """What was selected; None where the event is no selection."""
    data = getattr(event, '_data', None)
    return data.get('index') if isinstance(data, dict) else None


def _refuse_addresses(block: Block) -> None:
    """Keep Gradio from downloading the addresses that it is sent instead of files."""
    move = block.async_move_resource_to_block_cache

    async def move_file(path: str | Path | None) -> str | None:
        if '://' in str(path):
            raise gr.Error('only files can be uploaded', print_exception=False)
        return await move(path)

    block.async_move_resource_to_block_cache = move_file


def _do_nothing(session: DemoSession, _: object) -> None:
    """Only show."""


def _shot_choice(session: DemoSession) -> object:
    shots = session.labels.shots
    choices = [(f'{i + 1}: {s.picture.name}', i) for i, s in enumerate(shots)]
    value = session.shot if shots else None
    return gr.update(choices=choices, value=value, visible=len(shots) > 1)
