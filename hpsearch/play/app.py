"""Puts the page together: Gradio within an app of our own, behind the guard."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hpsearch.errors import HpsearchError
from hpsearch.play.corrections import Corrections
from hpsearch.play.doors import MOST_PHOTO, PHOTO
from hpsearch.play.guard import Guard
from hpsearch.play.reading import Readers

if TYPE_CHECKING:
    import gradio

MISSING = 'the page needs Gradio, which is not installed\n  pip install "hpsearch[play]"'
FONTS = ("system-ui", "sans-serif")  # this machine's own: Gradio's themes fetch theirs from Google
FIXED = ("ui-monospace", "monospace")
OFF = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


@contextmanager
def application(readers: Readers, corrections: Corrections, hosts: frozenset[str], token: str = "") -> Iterator[Guard]:
    """The page as an ASGI app for these hosts ("name:port")."""
    with tempfile.TemporaryDirectory(prefix="hpsearch-play-") as folder:  # for the owner alone
        os.environ.update(OFF, GRADIO_TEMP_DIR=folder)
        yield _application(readers, corrections, hosts, token)


def need_gradio() -> None:
    """Raise HpsearchError, with the line for pip, when Gradio is not installed."""
    if find_spec("gradio") is None:
        raise HpsearchError(MISSING)


def _application(readers: Readers, corrections: Corrections, hosts: frozenset[str], token: str) -> Guard:
    import gradio
    from starlette.applications import Starlette
    from starlette.routing import Route

    from hpsearch.play.page import Page, blocks
    from hpsearch.play.photos import Photos

    photos = Photos(readers)
    app = Starlette(routes=[Route(PHOTO, photos.take, methods=["POST"])])
    gradio.mount_gradio_app(
        app,
        blocks(Page(readers, photos, corrections)),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=MOST_PHOTO,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
    )
    return Guard(app, hosts, token)


def _theme() -> "gradio.themes.Base":
    import gradio

    return gradio.themes.Base(font=FONTS, font_mono=FIXED)
