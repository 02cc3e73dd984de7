"""Which requests the page may make: everything else that Gradio would answer is closed."""

import re
from dataclasses import dataclass

MB = 1_000_000
PHOTO = "/photo"
MOST_PHOTO, MOST_EVENT = 30 * MB, 1 * MB  # bytes of a body
ODD = re.compile(rb"%2e|%2f|%5c|%25|%0|%1|%7f|//|\\|\.\.|/\./", re.IGNORECASE)  # of a path that means another


@dataclass(frozen=True)
class Door:
    """A kind of request that is answered: its method and path, its body's type and most bytes."""

    method: str
    path: re.Pattern[str]
    type: str = ""
    most: int = 0


DOORS = (
    Door("GET", re.compile(r"/|/(favicon\.ico|manifest\.json|theme\.css)|/(static|assets)/[\w./-]+")),
    Door("GET", re.compile(r"/gradio_api/app_id")),  # by which a page that lost its server sees that there is one again
    Door("POST", re.compile(r"/gradio_api/run/predict"), "application/json", MOST_EVENT),
    Door("POST", re.compile(re.escape(PHOTO)), "application/octet-stream", MOST_PHOTO),
)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: a status code of HTTP, and words."""

    status: int
    why: str


def door(method: str, path: str, raw_path: bytes, kind: str) -> Door | Refusal:
    """The door for a request with a body of some type; else why there is none."""
    if ODD.search(raw_path) or not path.isprintable():
        return Refusal(400, "this path is not plain")
    fitting = [one for one in DOORS if one.path.fullmatch(path)]
    if not fitting:
        return Refusal(404, "there is no such page")
    for one in fitting:
        if one.method == ("GET" if method == "HEAD" else method):
            right = not one.type or kind.partition(";")[0].strip().lower() == one.type
            return one if right else Refusal(415, f"the body has to be {one.type}")
    return Refusal(405, f"not by {method}")
