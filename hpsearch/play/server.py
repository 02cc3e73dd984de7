"""Serves the page: one server in this process, patient with no slow client, that ends with Ctrl-C."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEAD_SECONDS = 10.0  # for the head of a request; a client that sends it drop by drop is left
MOST_AT_ONCE = 100  # connections
QUIET = {"version": 1, "disable_existing_loggers": False}


def serve(app: "ASGIApp", listening: socket.socket) -> None:
    """Answer on a listening socket until a signal comes, and raise that signal again afterwards."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_patient(),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=QUIET,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        limit_concurrency=MOST_AT_ONCE,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _patient() -> type[asyncio.Protocol]:
    """Uvicorn's protocol, with a limit on the time that a request's head takes, which uvicorn has not."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        """Leaves a client that does not say in time what it wants."""

        _limit: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def handle_events(self) -> None:
            super().handle_events()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._rest()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:  # the head is here
                self._rest()
            elif self._limit is None:
                self._limit = self.loop.call_later(HEAD_SECONDS, self.transport.close)

        def _rest(self) -> None:
            if self._limit:
                self._limit.cancel()
            self._limit = None

    return Patient
