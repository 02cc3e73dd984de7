"""Has an optimizer update weights by TensorFlow's fused kernels, where their mathematics is Keras's own.

Keras writes an update as a dozen small operations, each a pass over memory; a kernel makes one pass of it all.
The formulas are those of tensorflow/core/kernels/training_ops.cc and of Keras's own `update_step` methods. Where
they differ (Adagrad and Ftrl: epsilon stands elsewhere; Lion: no kernel), Keras's own stays.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

PRECISE = ("float32", "float64")  # in half precision a kernel takes β₂ for 1, or is not there at all
LARGE = 4096  # weights, from which on a branch in the graph costs less than the passes that it saves
ROUNDING = 4  # steps of a dtype, below which a share of 1 is the rounding of what made it


class Common:
    """What an update has in common for all variables of a dtype, its rate first: made once in each graph.

    TensorFlow joins what stands in a graph twice, but never two reads of a variable, nor what is made of them.
    """

    def __init__(self, optimizer: Any, rate: Any) -> None:
        """`rate` is the learning rate, a tensor of the dtype."""
        self.rate, self._optimizer, self._made = rate, optimizer, dict[Any, Any]()

    def once(self, make: Callable[[Any, "Common"], Any]) -> Any:
        """What `make` makes of the optimizer and this, the first time that it is asked for."""
        if make not in self._made:
            self._made[make] = make(self._optimizer, self)
        return self._made[make]


class Step(NamedTuple):
    """What one update of one variable needs: its gradient, a tensor of its dtype, and its place in Keras's order."""

    variable: Any
    gradient: Any
    place: int
    common: Common

    @property
    def rate(self) -> Any:
        """The learning rate, a tensor of the variable's dtype."""
        return self.common.rate


Kernel = Callable[[Any, Step], None]


class Fused:
    """One built optimizer, and the kernel that updates as it does, if there is one."""

    def __init__(self, optimizer: Any) -> None:
        """Look for the kernel of this very class: a subclass may have other mathematics."""
        self._optimizer, kernel = optimizer, _kernels().get(type(optimizer))
        self._kernel = kernel(optimizer) if kernel else None
        self._commons: dict[Any, Common] = {}

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Within: a graph that is traced gets the kernel. Afterwards the optimizer is as it was."""
        if self._kernel is None:
            yield
            return
        self._optimizer.update_step = self._update
        try:
            yield
        finally:
            del self._optimizer.update_step
            self._commons.clear()

    def _update(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        fits = isinstance(gradient, tf.Tensor) and variable.dtype in PRECISE  # rows of an embedding have no such kernel
        if self._kernel is None or not fits:
            type(self._optimizer).update_step(self._optimizer, gradient, variable, learning_rate)
            return
        place = self._optimizer._get_variable_index(variable)
        common, gradient = self._common(learning_rate, variable.dtype), tf.cast(gradient, variable.dtype)
        self._kernel(self._optimizer, Step(variable, gradient, place, common))

    def _common(self, learning_rate: Any, dtype: Any) -> Common:
        """Of the graph that is traced, which makes one update; where gradients are accumulated, it is a branch's."""
        import tensorflow as tf

        where = tf.compat.v1.get_default_graph(), dtype
        if where not in self._commons:
            self._commons[where] = Common(self._optimizer, tf.cast(learning_rate, dtype))
        return self._commons[where]


def _kernels() -> Mapping[type, Callable[[Any], Kernel]]:
    """For each class, what chooses the kernel by the optimizer's options."""
    from keras import optimizers

    return {
        optimizers.SGD: lambda sgd: _momentum if sgd.momentum else _gradient_descent,
        optimizers.Adam: _any_adam,
        optimizers.AdamW: _any_adam,  # Keras applies the weight decay before any update_step
        optimizers.Adamax: lambda _: _adamax,
        optimizers.Nadam: lambda _: _nadam,
        optimizers.RMSprop: _RMSprop,
        optimizers.Adadelta: lambda _: _adadelta,
    }


def _gradient_descent(_sgd: Any, step: Step) -> None:
    _op("ResourceApplyGradientDescent", step, alpha=step.rate, delta=step.gradient)


def _momentum(sgd: Any, step: Step) -> None:
    _op(
        "ResourceApplyKerasMomentum", step, accum=_slot(sgd.momentums, step), lr=step.rate, grad=step.gradient,
        momentum=sgd.momentum, use_nesterov=sgd.nesterov,
    )  # fmt: skip


def _any_adam(adam: Any) -> Kernel:
    return _amsgrad if adam.amsgrad else _adam


def _adam(adam: Any, step: Step) -> None:
    _op("ResourceApplyAdam", step, **_moments(adam, step), **step.common.once(_powers), lr=step.rate)


def _amsgrad(adam: Any, step: Step) -> None:
    largest = _slot(adam._velocity_hats, step)
    _op(
        "ResourceApplyAdamWithAmsgrad", step,
        **_moments(adam, step), **step.common.once(_powers), vhat=largest, lr=step.rate,
    )  # fmt: skip


class _Ahead(NamedTuple):
    """What Nadam makes of a step's number; `rest`, what a gradient's share lacks, is above rounding while `warming`."""

    arguments: dict[str, Any]
    rest: Any
    warming: Any


def _ahead(nadam: Any, common: Common) -> _Ahead:
    """Keras's two shares of the update: the moment's by the kernel's rate, the gradient's by what is added to it.

    Keras: rate × (u₊m / (1 - Pu₊) + (1 - u)g / (1 - P)) / (√(v / c) + ε), with c = 1 - β₂ᵗ, which is multiplied out by
    √c; u and u₊ are β₁ × (1 - 0.96ᵗ / 2) now and next time, and P the product of all u. The kernel, with β powers of
    zero: α × (β₁m + (1 - β₁)g) / (√v + ε). As u comes near to β₁, and P to 0, the two become the same.
    """
    import numpy as np
    import tensorflow as tf

    dtype, time, beta = common.rate.dtype, common.once(_time), nadam.beta_1
    now, then = (1 - 0.5 * tf.pow(tf.cast(0.96, dtype), when) for when in (time, time + 1))
    product = tf.cast(nadam._u_product.value, dtype)
    scale = tf.sqrt(1 - tf.pow(tf.cast(nadam.beta_2, dtype), time))
    share = then / (1 - product * beta * then)
    rest = (1 - beta * now) / (1 - product) - (1 - beta) * share
    rate, none = common.rate * scale, tf.zeros_like(share)
    arguments = {"lr": rate * share, "beta1_power": none, "beta2_power": none, "epsilon": nadam.epsilon * scale}
    return _Ahead(arguments, rate * rest, tf.abs(rest) > ROUNDING * np.finfo(dtype.as_numpy_dtype).eps)


def _nadam(nadam: Any, step: Step) -> None:
    """Adam's kernel with Nesterov's look ahead, and for some hundred steps what Keras's momentum, warming up, adds."""
    import tensorflow as tf

    ahead = step.common.once(_ahead)
    _op("ResourceApplyAdam", step, **(_moments(nadam, step) | ahead.arguments), use_nesterov=True)

    def add() -> Any:
        velocity = nadam._velocities[step.place].value.read_value()
        step.variable.assign_sub(ahead.rest * step.gradient / (tf.sqrt(velocity) + ahead.arguments["epsilon"]))
        return ahead.rest

    if step.variable.shape.num_elements() < LARGE:
        add()
    else:
        tf.cond(ahead.warming, add, lambda: ahead.rest)


def _adamax(adamax: Any, step: Step) -> None:
    powers = step.common.once(_powers)
    _op(
        "ResourceApplyAdaMax", step, m=_slot(adamax._m, step), v=_slot(adamax._u, step),
        beta1_power=powers["beta1_power"], lr=step.rate,
        beta1=adamax.beta_1, beta2=adamax.beta_2, epsilon=adamax.epsilon, grad=step.gradient,
    )  # fmt: skip


def _adadelta(adadelta: Any, step: Step) -> None:
    squares, deltas = adadelta._accumulated_grads, adadelta._accumulated_delta_vars
    _op(
        "ResourceApplyAdadelta", step, accum=_slot(squares, step), accum_update=_slot(deltas, step),
        lr=step.rate, rho=adadelta.rho, epsilon=adadelta.epsilon, grad=step.gradient,
    )  # fmt: skip


class _RMSprop:
    """RMSprop's kernel wants a momentum even where it is zero and nothing of it is remembered: a place to write to."""

    def __init__(self, rmsprop: Any) -> None:
        import keras

        weights = rmsprop._trainable_variables
        self._momentums = rmsprop._momentums or [keras.Variable(keras.ops.zeros_like(one)) for one in weights]

    def __call__(self, rmsprop: Any, step: Step) -> None:
        velocity = _slot(rmsprop._velocities, step)
        shared = {
            "ms": velocity, "mom": _slot(self._momentums, step), "lr": step.rate, "rho": rmsprop.rho,
            "momentum": rmsprop.momentum, "epsilon": rmsprop.epsilon, "grad": step.gradient,
        }  # fmt: skip
        if rmsprop.centered:
            mean = _slot(rmsprop._average_gradients, step)
            _op("ResourceApplyCenteredRMSProp", step, mg=mean, **shared)
        else:
            _op("ResourceApplyRMSProp", step, **shared)


def _moments(adam: Any, step: Step) -> dict[str, Any]:
    return {
        "m": _slot(adam._momentums, step), "v": _slot(adam._velocities, step),
        "beta1": adam.beta_1, "beta2": adam.beta_2, "epsilon": adam.epsilon, "grad": step.gradient,
    }  # fmt: skip


def _powers(adam: Any, common: Common) -> dict[str, Any]:
    """Both β to the power of the step's number."""
    import tensorflow as tf

    named, time = {"beta1_power": adam.beta_1, "beta2_power": adam.beta_2}, common.once(_time)
    return {name: tf.pow(tf.cast(beta, time.dtype), time) for name, beta in named.items()}


def _time(optimizer: Any, common: Common) -> Any:
    """The step's number, counted from 1; where gradients are accumulated, Keras counts updates."""
    import keras

    return keras.ops.cast(optimizer.iterations + 1, common.rate.dtype)


def _slot(variables: Any, step: Step) -> Any:
    return variables[step.place].value.handle


def _op(name: str, step: Step, **arguments: Any) -> None:
    import tensorflow as tf

    getattr(tf.raw_ops, name)(var=step.variable.handle, **arguments)
