"""Train a logistic regression whose parameters are a dictionary; change BACKEND and nothing else to train it elsewhere.

Run it with ``python examples/logistic_regression.py``.
"""

import numpy as np

import unidiff as ud

BACKEND = "numpy"


def loss(parameters, features, labels):
    """Return the mean of ``log(1 + exp(-margin))`` and, beside it, the share of right answers, which is not differentiated."""
    xp = ud.array_namespace(features)
    margin = labels * (features @ parameters["weights"] + parameters["bias"])
    accuracy = xp.mean(xp.astype(margin > 0, features.dtype))
    return xp.mean(xp.logaddexp(0 * margin, -margin)), accuracy


def make_data(n=400, d=5, seed=0):
    """Return features from a normal distribution and labels -1 and 1 from a noisy linear rule."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, d))
    labels = np.sign(features @ random.normal(size=d) + 0.3 + 0.2 * random.normal(size=n))
    return features, labels


def main():
    """Train by gradient descent on all the data and return the losses and the last accuracy."""
    features, labels = (ud.asarray(array, backend=BACKEND) for array in make_data())
    parameters = {"weights": 0 * features[0, :], "bias": 0 * features[0, 0]}
    step = ud.value_and_grad(loss, has_aux=True)
    losses = []
    for k in range(101):
        (value, accuracy), gradient = step(parameters, features, labels)
        parameters = ud.tree.map(lambda p, g: p - 1.0 * g, parameters, gradient)
        losses.append(float(value))
        if k % 20 == 0:
            print(f"step {k:3}   loss {float(value):.4f}   accuracy {float(accuracy):.1%}")
    return losses, float(accuracy)


if __name__ == "__main__":
    main()
