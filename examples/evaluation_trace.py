"""The evaluation trace of a function: what forward and reverse mode do, node by node, as a table and as a picture.

Run with ``python examples/evaluation_trace.py [picture.svg]``.
"""

import sys
from pathlib import Path
from typing import Any

import unidiff as ud


def f(x1: Any, x2: Any) -> Any:
    """Return ln(x1) + x1 x2 - sin(x2), the example of many textbooks."""
    xp = ud.array_namespace(x1, x2)
    return xp.log(x1) + x1 * x2 - xp.sin(x2)


def main() -> ud.EvaluationTrace:
    """Print the trace at (2, 5), and return it."""
    table = ud.trace(f)(2.0, 5.0)
    print(table)

    # Each adjoint is the sum, over the nodes that use it, of their adjoint times the local derivative.
    print("\ndf/dx1 by reverse mode:", float(table["x1"].adjoint), " by hand, 1/x1 + x2:", 1 / 2.0 + 5.0)

    # The direction of the tangents can be chosen: (1, 0) gives the derivative by x1 in forward mode.
    forward = ud.trace(f, tangents=(1.0, 0.0))(2.0, 5.0)
    print("df/dx1 by forward mode:", float(forward[-1].tangent))
    return table


if __name__ == "__main__":
    trace = main()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(trace.to_svg())
