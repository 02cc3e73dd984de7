"""Reads the body of a request as a whole, up to so many bytes and seconds, and hands it on as if it came then."""

import asyncio
from typing import TYPE_CHECKING

from hpsearch.play.doors import Refusal

if TYPE_CHECKING:
    from starlette.types import Message, Receive

PATIENCE = 20.0  # seconds for the whole of a body
SILENCE = 4.0  # seconds without a byte of it; whoever has gone away keeps others from their turn no longer


class NotTaken(Exception):
    """A body is refused."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry what to answer."""
        self.refusal = refusal
        super().__init__(refusal.why)


async def whole(receive: "Receive", announced: str, most: int) -> bytes:
    """The bytes of the body; raise NotTaken when it has more than `most`, by its length or its words.

    So it does when the body takes longer than PATIENCE, or stands still for longer than SILENCE.
    """
    if announced and (not announced.isdecimal() or int(announced) > most):
        raise NotTaken(_too_large(most) if announced.isdecimal() else Refusal(400, "this is no length"))
    try:
        async with asyncio.timeout(PATIENCE):
            return await _collected(receive, most)
    except TimeoutError as error:
        raise NotTaken(Refusal(408, f"the body did not come within {PATIENCE:g} s")) from error


async def _collected(receive: "Receive", most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await _next(receive)
        if message["type"] != "http.request":
            raise NotTaken(Refusal(400, "the body ended before its end"))
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise NotTaken(_too_large(most))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _next(receive: "Receive") -> "Message":
    silence = asyncio.timeout(SILENCE)
    try:
        async with silence:
            return await receive()
    except TimeoutError as error:
        if not silence.expired():  # it was the patience with the whole
            raise
        raise NotTaken(Refusal(408, f"nothing of the body came for {SILENCE:g} s")) from error


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"too large: at most {most // 1_000_000} MB are taken" if most else "no body is taken here")


def replayed(body: bytes, receive: "Receive") -> "Receive":
    """Give the body once, then whatever comes: that the other side has gone, for one."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> "Message":
        return left.pop() if left else await receive()

    return again
