"""Checks that the cards an experiment asks for are there and can be used; only a number asks for them for sure."""

from hpsearch import cards, plugins
from hpsearch.experiment import Workers
from hpsearch.loading.toml_places import Finding

PLACE = ("workers", "gpus")


def card_findings(workers: Workers) -> list[Finding]:
    """What speaks against training on the cards of [workers] here."""
    if workers.gpus is False or plugins.unknown("executors", workers.kind, ""):
        return []
    if "gpus" not in plugins.options(plugins.part("executors", workers.kind)):
        return [Finding(PLACE, f"{workers.kind!r} takes no gpus", 'write kind = "local", or leave gpus out')]
    if workers.gpus == "auto":
        return []
    if mistake := cards.too_few(workers.gpus, cards.find()):
        return [Finding(PLACE, mistake.what, mistake.mend)]
    if obstacle := cards.obstacle():
        return [Finding(PLACE, f"{obstacle}, so it can use no card", f"{cards.install()}, or gpus = false")]
    return []
