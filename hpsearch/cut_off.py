"""Ends the story of a session that could not end it: its process was killed, and no other goes on with it.

Whatever tells of a study then says the same: it was interrupted, and so were the trials that were under way.
"""

from collections.abc import Callable, Iterable, Iterator

from hpsearch.records import News, SessionBegan, SessionEnded

REASON = "interrupted without a word; what was done is kept, and the same command goes on"


def ended(story: Iterable[News], running: Callable[[], bool]) -> Iterator[News]:
    """A study's records, and after them the end of its last session where nobody wrote one and nobody can.

    `running` says whether a session lasts now. It is asked before the first record is read, since one may end
    meanwhile, and after the last, since one may begin. What is added is in no ledger.
    """
    before = running()
    last, lasts = News(0, 0, 0.0, SessionEnded(finished=False, reason=REASON)), True
    for last in story:
        lasts = isinstance(last.body, SessionBegan) or (lasts and not isinstance(last.body, SessionEnded))
        yield last
    if lasts and not before and not running():
        yield News(last.number + 1, last.time_ms, last.searched, SessionEnded(finished=False, reason=REASON))
