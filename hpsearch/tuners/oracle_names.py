"""Names of the oracle's own for what build_model asks for."""

from collections import defaultdict
from dataclasses import replace

from hpsearch.space import Condition, Parameter


class Names:
    """Gives a name in each conditional scope a name of its own in the oracle's space.

    KerasTuner keeps one value for a name, and drops it where one of that name's conditions does not hold, though
    another one's does; then it draws it anew, without a seed. In one scope a name has one dimension, as in KerasTuner,
    however its range and default differ from trial to trial.
    """

    def __init__(self) -> None:
        """Begin with no name."""
        self._known: defaultdict[str, list[Parameter]] = defaultdict(list)

    def first(self, parameter: Parameter) -> Parameter:
        """The parameter that was met first under this name in this scope, one that is searched before a fixed one."""
        known = self._known[parameter.name]
        place = next((at for at, one in enumerate(known) if one.conditions == parameter.conditions), len(known))
        if place == len(known) or known[place].kind == "fixed" != parameter.kind:
            known[place:] = [parameter, *known[place + 1 :]]
        return known[place]

    def of(self, parameter: Parameter) -> str:
        """The parameter's name, or a numbered one where the name was met in another scope before."""
        return self._numbered(parameter.name, self._known[parameter.name].index(self.first(parameter)))

    def in_scope(self, parameter: Parameter) -> tuple[Condition, ...]:
        """The parameter's conditions, on the parents that are asked for in its own scope, else on those met first.

        Not those on a parent that is not known: nobody is asked for what is fixed, and where it is, they hold.
        """
        parents = ((one, self._parent(one.name, parameter)) for one in parameter.conditions)
        return tuple(replace(one, name=parent) for one, parent in parents if parent)

    def _parent(self, name: str, child: Parameter) -> str | None:
        known = self._known[name]
        around = [one for one in known if set(one.conditions) <= set(child.conditions)] or known[:1]
        nearest = max(around, key=lambda one: len(one.conditions), default=None)
        return self._numbered(name, known.index(nearest)) if nearest else None

    @staticmethod
    def _numbered(name: str, place: int) -> str:
        return f"{name}\x1f{place}" if place else name
