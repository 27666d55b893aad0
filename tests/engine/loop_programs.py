"""Random programs with loops: functions of an array of shape (3,) that return a number, the same for the same seed."""

import numpy as np

import unidiff as ud

SHAPES = ((), (3,), (2, 3))
WEIGHTS = np.random.default_rng(1).normal(size=(3, 3)) * 0.5


def ns(*x):
    return ud.array_namespace(*x)


@ud.custom_vjp
def product(a, b):
    return ns(a).sin(a) * b


product.defvjp(lambda a, b: (ns(a).sin(a) * b, (a, b)), lambda r, g: (g * ns(g).cos(r[0]) * r[1], g * ns(g).sin(r[0])))


@ud.custom_jvp
def squashed(a):
    return ns(a).tanh(a)


squashed.defjvp(lambda p, t: (ns(p[0]).tanh(p[0]), t[0] * (1 - ns(p[0]).tanh(p[0]) ** 2)))


def _fitted(v, shape):
    """Bring an array to a shape."""
    xp = ns(v)
    if tuple(v.shape) == shape:
        return v
    if shape == ():
        return xp.sum(v) * 0.2
    return xp.sum(v, axis=0) * 0.5 if shape == (3,) and v.ndim == 2 else xp.broadcast_to(v, shape)


OPERATIONS = (
    lambda a, b, s, c, x: ns(a).sin(a),
    lambda a, b, s, c, x: _fitted(a, s) * _fitted(b, s),
    lambda a, b, s, c, x: _fitted(a, s) + _fitted(b, s),
    lambda a, b, s, c, x: a * c,
    lambda a, b, s, c, x: _fitted(a, (3,)) @ ns(a).asarray(WEIGHTS),
    lambda a, b, s, c, x: ns(a).tanh(a) * c,
    lambda a, b, s, c, x: -a,
    lambda a, b, s, c, x: product(_fitted(a, s), _fitted(b, s)),
    lambda a, b, s, c, x: squashed(a),
    lambda a, b, s, c, x: ud.checkpoint(lambda q: ns(q).cos(q) * x[0])(a),
    lambda a, b, s, c, x: ns(a).where(a > 0, a, -0.5 * a),
    lambda a, b, s, c, x: ns(a).linalg.outer(_fitted(a, (3,)), _fitted(b, (3,)))[:2, :],
    lambda a, b, s, c, x: _fitted(a, (3,))[::-1] * c,
    lambda a, b, s, c, x: ud.cond(ns(a).sum(a) > c, lambda q: 0.5 * q, lambda q: q * q * 0.3 + ns(q).sin(q), a),
    lambda a, b, s, c, x: a**2 * 0.3,
)


class Loop:
    """A loop with carries that are new, kept, exchanged, reset or taken from outside, slices and stacked results."""

    def __init__(self, rng, length, inner=None):
        draw = lambda n: int(rng.integers(n))
        count = draw(3) + 1
        self.length, self.inner, self.reverse = length, inner, bool(draw(2))
        self.shapes = [SHAPES[draw(3)] for _ in range(count)]
        self.first = [(draw(4), float(rng.normal())) for _ in range(count)]
        self.slices = [draw(3) for _ in range(draw(3))]
        self.calls = [
            (draw(len(OPERATIONS)), draw(1000), draw(1000), SHAPES[draw(3)], float(rng.normal())) for _ in range(draw(5) + 2)
        ]
        self.carries = [(draw(8), draw(1000)) for _ in range(count)]
        self.rows = [(draw(6), draw(1000)) for _ in range(draw(3))]

    def __call__(self, x, outer):
        xp, n = ns(x), self.length
        starts = (
            lambda c, s: _fitted(x, s),
            lambda c, s: xp.asarray(np.full(s, c)),
            lambda c, s: _fitted(x * c, s),
            lambda c, s: _fitted(outer, s),
        )
        init = tuple(starts[kind](c, s) for (kind, c), s in zip(self.first, self.shapes, strict=True))
        kinds = (
            lambda: xp.asarray(np.linspace(-1, 1, n * 3).reshape(n, 3)),
            lambda: xp.stack([x * (0.1 * k) for k in range(n)]),
            lambda: xp.broadcast_to(x, (n, 3)),
        )
        xs = tuple(kinds[k]() for k in self.slices)
        last, ys = ud.scan(lambda c, v: self._step(c, v or (), x, outer), init, xs or None, length=n, reverse=self.reverse)
        return list(last), list(ys)

    def _step(self, carry, slices, x, outer):
        pool = [*carry, *slices, x, outer]
        if self.inner is not None:
            last, ys = self.inner(x, carry[0])
            pool += [*last, *(ns(y).sum(y, axis=0) for y in ys)]
        for operation, i, j, shape, c in self.calls:
            pool.append(OPERATIONS[operation](pool[i % len(pool)], pool[j % len(pool)], shape, c, x))
        after = []
        for (kind, place), shape, old in zip(self.carries, self.shapes, carry, strict=True):
            if kind == 0:
                after.append(old)
            elif kind == 1:
                after.append(ns(x).ones(shape) * 0.3)
            elif kind == 2:
                after.append(_fitted(carry[place % len(carry)], shape))
            elif kind == 3:
                after.append(_fitted(x, shape))
            else:
                after.append(_fitted(pool[-1 - place % 3], shape) * (0.5 if kind < 7 else 1.0))
        choose = lambda kind, place: (after, carry, pool[-4:])[min(kind, 2)]
        rows = tuple(choose(kind, place)[place % len(choose(kind, place))] for kind, place in self.rows)
        return tuple(after), rows


def program(seed, longest):
    """Return a program with a loop of about ``longest`` steps, or with one within another."""
    rng = np.random.default_rng(seed)
    nested = rng.integers(3) == 0
    inner = Loop(rng, int(rng.choice([2, 4, 5]))) if nested else None
    length = int(rng.choice([3, 5, 6]) if nested else longest + rng.choice([-1, 0, 1, 1, 2, 3, 7]))
    loop, ends = Loop(rng, length, inner), rng.integers(4, size=6)

    def function(x):
        xp = ns(x)
        last, ys = loop(x, x * 0.7)
        total = xp.sum(x * x) + x[0] * x[1] if ends[5] > 1 else 0
        for k, y in enumerate(last):
            total = total + xp.sum(xp.sin(y) if ends[k % 6] % 2 else y * y)
        for k, y in enumerate(ys):
            total = total + xp.sum((y[1, ...] * 2, y * y, y, y[:1, ...])[ends[(k + 3) % 6]])
        return total

    return function
