"""Reads what came of a study's trials, but not how each came to it: for a look at a study of very many.

A study of 10,000 trials has hundreds of thousands of records, and a table of its best needs some ten thousand.
"""

import json
from collections.abc import Iterable, Iterator

from hpsearch import cut_off, paths, study
from hpsearch.ledger import Ledger
from hpsearch.records import Answered, Asked, FinalistsChosen, News, SpaceFound
from hpsearch.trial import Status, TrialResult
from hpsearch.varying import Varying

_OUTCOMES = "kind NOT IN ('Answered', 'AttemptBegan', 'Built', 'Measure', 'AttemptEnd')"
# What a session that was killed, or still runs, told last: until then it lasted. That an attempt was lost with it is
# told by the next one.
_TOLD = "NOT (told.kind = 'AttemptEnd' AND json_extract(CAST(told.body AS TEXT), '$.how') = 'lost')"
_LAST = f"""number = (SELECT max(number) FROM log)
    OR number = (SELECT number FROM log AS told WHERE {_TOLD} ORDER BY number DESC LIMIT 1)
    OR number IN (SELECT (
        SELECT number FROM log AS told WHERE told.number < began.number AND {_TOLD} ORDER BY number DESC LIMIT 1)
    FROM log AS began WHERE began.kind = 'SessionBegan')"""  # noqa: S608  # all of it is our own
# With what a reopened study began to search again: each choice of finalists lasts until then.
_REOPENED = """number IN (SELECT (
        SELECT number FROM log AS later WHERE later.number > chosen.number AND later.kind = 'AttemptBegan'
        AND json_extract(CAST(later.body AS TEXT), '$.attempt.fit.kind') = 'search' ORDER BY later.number LIMIT 1)
    FROM log AS chosen WHERE chosen.kind = 'FinalistsChosen')"""
_FIXED = "kind = 'Answered' AND instr(body, CAST('\"kind\":\"fixed\"' AS BLOB))"
# Of names that are fixed somewhere, which of them are searched elsewhere: the first time that each was.
_SEARCHED = f"""number IN (SELECT min(number) FROM log WHERE kind = 'Answered' AND NOT ({_FIXED})
    AND json_extract(CAST(body AS TEXT), '$.parameter.name') IN (SELECT value FROM json_each(?))
    GROUP BY json_extract(CAST(body AS TEXT), '$.parameter.name'))"""  # noqa: S608  # all of it is our own
_VALUES = "kind = 'Answered' AND json_extract(CAST(body AS TEXT), '$.trial') IN (SELECT value FROM json_each(?))"
_TOLD_OF_FITS = """kind IN ('AttemptBegan', 'Measure', 'AttemptEnd')
    AND json_extract(CAST(body AS TEXT), '$.attempt.fit.trial') IN (SELECT value FROM json_each(?))"""
_ENDS = """kind = 'AttemptEnd'
    AND json_extract(CAST(body AS TEXT), '$.attempt.fit.trial') IN (SELECT value FROM json_each(?))"""
_LAST_MEASURES = """number IN (SELECT max(number) FROM log WHERE kind = 'Measure'
    AND json_extract(CAST(body AS TEXT), '$.attempt.fit.trial') IN (SELECT value FROM json_each(?))
    GROUP BY json_extract(CAST(body AS TEXT), '$.attempt.fit'))"""


def outcomes(project: paths.Project, name: str) -> list[News]:
    """The records of a study of this project, in order, without those that only say how ended trials went.

    Of a trial that has no result yet its values, attempts and epochs are among them, and of one that was stopped how
    far it came. A session that was killed ends as `cut_off` tells.
    Raises ExperimentRefused when there is no such study, StateDamaged when what is read is not what was written.
    """
    folder = study.existing(project, name)
    ledger = Ledger(folder.ledger, writer=False)
    try:
        ledger.check()
        return list(cut_off.ended(_in_order(ledger), lambda: study.is_running(folder)))
    finally:
        ledger.close()


def _in_order(ledger: Ledger) -> Iterator[News]:
    with ledger.at_one_moment():  # else a trial could be asked for between two looks, and only half of it be seen
        found = {news.number: news for news in _read(ledger)}
    yield from (found[number] for number in sorted(found))


def _read(ledger: Ledger) -> Iterator[News]:
    told = list(ledger.select(_OUTCOMES))
    yield from told
    results = {news.body.trial.number: news.body for news in told if isinstance(news.body, TrialResult)}
    asked = {news.body.trial.number for news in told if isinstance(news.body, Asked)}
    stopped = [number for number, result in results.items() if result.status is Status.PRUNED]
    values = {news.number: news for news in ledger.select(_FIXED)}
    if fixed := _fixed([*told, *values.values()]):
        values |= {news.number: news for news in ledger.select(_SEARCHED, json.dumps(sorted(fixed)))}
    if going := asked - results.keys():
        values |= {news.number: news for news in ledger.select(_VALUES, _list(going))}
        yield from ledger.select(_TOLD_OF_FITS, _list(going))
    yield from values.values()
    yield from ledger.select(_LAST)
    if any(isinstance(news.body, FinalistsChosen) for news in told):
        yield from ledger.select(_REOPENED)
    if stopped:
        yield from ledger.select(_ENDS, _list(stopped))
        yield from ledger.select(_LAST_MEASURES, _list(stopped))


def _fixed(records: Iterable[News]) -> set[str]:
    """The names that are fixed, as far as these records tell, and not known to be searched."""
    varying = Varying()
    for news in records:
        if isinstance(news.body, SpaceFound | Answered):
            varying.take(news.body)
    return varying.fixed


def _list(numbers: Iterable[int]) -> str:
    return json.dumps(sorted(numbers))
