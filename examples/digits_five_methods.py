"""Logistic regression on the handwritten digits with five methods, in one picture.

Needs scikit-learn for the data and, for the picture, matplotlib. Run it with ``python examples/digits_five_methods.py``, which
writes ``digits_five_methods.png``.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits

import unidiff as ud

METHODS = {
    "gradient descent": "gradient-descent",
    "conjugate gradients": "cg",
    "L-BFGS": "l-bfgs",
    "trust region": "trust-ncg",
    "Adam": ud.optim.Adam(0.05),
}


def loss(w, features, labels):
    """Return the mean cross-entropy of ten classes with a small ridge penalty."""
    xp = ud.array_namespace(w, features)
    logits = features @ w
    return xp.mean(ud.special.logsumexp(logits, axis=1) - xp.sum(labels * logits, axis=1)) + 1e-3 * xp.sum(w * w)


def run(method, start, data, iterations):
    """Return what the picture shows: loss and norm of the gradient at every iterate, from the start on."""
    value, gradient = ud.value_and_grad(loss)(start, *data)
    values, norms = [float(value)], [float(np.linalg.norm(gradient))]

    def note(result):
        values.append(float(result.fun))
        norms.append(float(np.linalg.norm(result.jac)))

    ud.minimize(loss, start, args=data, method=method, tol=1e-5, options={"maxiter": iterations}, callback=note)
    return {"fun": values, "grad_norm": norms}


def main(iterations=40):
    """Print and return the last loss of each method."""
    digits = load_digits()
    data = (digits.data / 16.0, np.eye(10)[digits.target])
    runs = {name: run(method, np.zeros((64, 10)), data, iterations) for name, method in METHODS.items()}
    for name, values in runs.items():
        print(f"{name:20} {values['fun'][-1]:.6f} after {len(values['fun']) - 1} iterations")
    return runs


def draw(runs):
    """Return a picture of the losses above the least one, with one curve for each method."""
    axes = ud.optim.plot.compare(runs, optimum=min(min(run["fun"]) for run in runs.values()))
    axes.set_title("Logistic regression on the digits")
    return axes.figure


if __name__ == "__main__":
    try:
        draw(main(100)).savefig("digits_five_methods.png")
    except ud.errors.UnsupportedOperationError as error:
        sys.exit(str(error))
