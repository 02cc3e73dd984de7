"""What the fake trainer asks for: apart from it, because importing it makes a process one that workers come from."""

from hpsearch.space import Parameter

SPACE = (
    Parameter("x", "float", 0.5, low=0.0, high=1.0),
    Parameter("kind", "choice", "a", choices=("a", "b", "c")),
)
