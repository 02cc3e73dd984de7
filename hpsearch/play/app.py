"""Puts the page together: Gradio within an app of our own, behind the guard."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from hpsearch.errors import HpsearchError
from hpsearch.play.corrections import Corrections
from hpsearch.play.doors import MOST_PHOTO, PHOTO
from hpsearch.play.guard import Guard
from hpsearch.play.reading import Readers

if TYPE_CHECKING:
    import gradio

MISSING = 'the page needs Gradio, which is not installed\n  pip install "hpsearch[play]"'
MOST_PAGES = 100  # whose last reading is kept; without a heartbeat Gradio hears of none that it was closed
QUEUE_REST = 1.0  # seconds: Gradio would look a thousand times a second into its queue, which the page does not use
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
def gradio_indoors() -> Iterator[None]:
    """Import Gradio, with all switched off that calls home, and a folder for its files that goes afterwards.

    Raises HpsearchError when it is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="hpsearch-play-") as folder:  # for the owner alone
        os.environ.update(OFF, GRADIO_TEMP_DIR=folder)  # read when it is imported
        try:
            import gradio  # noqa: F401  # to see whether it can be
        except ImportError as error:
            raise HpsearchError(MISSING) from error
        yield


def application(readers: Readers, corrections: Corrections, hosts: frozenset[str], token: str = "") -> Guard:
    """The page as an ASGI app for these hosts ("name:port"); call it within gradio_indoors()."""
    import gradio
    from starlette.applications import Starlette
    from starlette.routing import Route

    from hpsearch.play.page import Page, blocks
    from hpsearch.play.photos import Photos

    photos = Photos(readers)
    app = Starlette(routes=[Route(PHOTO, photos.take, methods=["POST"])])
    made = blocks(Page(readers, photos, corrections))
    made.state_session_capacity = MOST_PAGES
    gradio.mount_gradio_app(
        app,
        made,
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
    made._queue.sleep_when_free = QUEUE_REST  # noqa: SLF001  # no public way
    made.config["connect_heartbeat"] = False  # a connection that is held open: a browser has six for a machine
    return Guard(app, hosts, token)


def _theme() -> "gradio.themes.Base":
    import gradio

    return gradio.themes.Base(font=FONTS, font_mono=FIXED)
