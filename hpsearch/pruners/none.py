"""The pruner that lets every trial run to its end."""

from hpsearch.protocols import Brief, Pruning


class NoPruner:
    """Never stops a trial."""

    def begin(self, brief: Brief) -> None:
        """Nothing to take in."""

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        """Let it go on."""
