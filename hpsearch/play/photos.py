"""Takes photographs, has them read at once, and keeps what was read for the page to show; their bytes are not kept."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpsearch.errors import HpsearchError, first_line
from hpsearch.play.reading import Readers, Reading

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from starlette.requests import Request
    from starlette.responses import Response

MOST = 30  # readings that are remembered; the page asks for one at once
AT_ONCE = 1  # photographs that are unpacked at a time: one of 64 million pixels takes some 450 MB


def _turns() -> "CapacityLimiter":
    from anyio import CapacityLimiter

    return CapacityLimiter(AT_ONCE)


@dataclass(frozen=True)
class Photos:
    """The photographs that were read, each under a number that only its sender knows; the others wait their turn."""

    readers: Readers
    _turns: "CapacityLimiter" = field(default_factory=_turns)
    _read: OrderedDict[str, Reading] = field(default_factory=OrderedDict)

    def taken(self, number: str) -> Reading | None:
        """What was read in a photograph; None when it is unknown or long ago."""
        return self._read.get(number)

    async def take(self, request: "Request") -> "Response":
        """Answer a POST whose body is the photograph: what was found where, or 415 and why it cannot be read."""
        from anyio import to_thread
        from starlette.responses import JSONResponse, PlainTextResponse

        body = await request.body()
        try:
            reading = await to_thread.run_sync(
                lambda: self.readers.read("the photo", body, one=False), limiter=self._turns
            )
        except HpsearchError as error:
            return PlainTextResponse(first_line(str(error)), 503)
        if not isinstance(reading, Reading):
            return PlainTextResponse(reading.why, 415)
        number = secrets.token_urlsafe(16)
        self._read[number] = reading
        while len(self._read) > MOST:
            self._read.popitem(last=False)
        return JSONResponse({"photo": number, "size": reading.size, "boxes": reading.boxes})
