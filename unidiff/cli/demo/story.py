"""What the demo tells: the rows of its table, its verdict, and the sections of its report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unidiff.cli.demo import problems, runs
from unidiff.cli.demo.report import Picture, Section, page, source_of

Rows = list[list[str]]


@dataclass(frozen=True)
class Outcome:
    """All that the demo found.

    Parameters
    ----------
    done : sequence of BackendRun
        One for each backend that finished; the first is the one the others are compared with.
    failed : sequence of Failure
        One for each backend that did not.
    differences : sequence of Difference
        All comparisons that were made.
    data : DigitsData or None
        The images, None where scikit-learn is missing.
    advice : sequence of str
        What could be added to this environment, and how.
    """

    done: Sequence[runs.BackendRun]
    failed: Sequence[runs.Failure]
    differences: Sequence[runs.Difference]
    data: problems.DigitsData | None
    advice: Sequence[str]

    @property
    def good(self) -> bool:
        """Whether every backend finished and every difference is within its tolerance."""
        return bool(self.done) and not self.failed and all(difference.within for difference in self.differences)

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        wrong = [f"{failure.name} failed: {failure.message}" for failure in self.failed]
        wrong += [
            f"{d.backend}: {d.quantity} differ by {d.value:.1e}, allowed {d.tolerance:.0e}"
            for d in self.differences
            if not d.within
        ]
        if wrong:
            return "; ".join(wrong)
        names = [run.name for run in self.done]
        by_hand = "the gradient derived by hand"
        if len(names) == 1:
            return f"{names[0]} agrees with {by_hand}."
        return f"{', '.join(names[:-1])} and {names[-1]} agree with {by_hand} and with one another at every step."

    def columns(self) -> list[str]:
        """Return the heads of the table."""
        reference = self.done[0].name if self.done else "the first"
        return ["backend", "device", "problem", "result", f"largest difference to {reference}", "time"]

    def rows(self) -> Rows:
        """Return the rows of the table: the problems on each backend, and the failures."""
        rows = [row for run in self.done for row in self._rows_of(run)]
        return rows + [[failure.name, "", "", f"failed: {failure.message}", "", ""] for failure in self.failed]

    def _rows_of(self, run: runs.BackendRun) -> Rows:
        reference = self.done[0]
        ends = Counter(kind for path in run.surface.paths.values() for kind in path.kinds)
        points = runs.path_difference(run.surface, reference.surface)
        difference = "reference" if run is reference else f"points {points:.1e}"
        rows = [[run.name, run.device, "surface", count(ends), difference, f"{run.surface_seconds:.1f} s"]]
        if run.digits is not None and reference.digits is not None:
            result = f"{run.digits.accuracy:.2%} right, loss {run.digits.losses[-1]:.12f}"
            if run is not reference:
                losses = max(runs.loss_differences(run.digits, reference.digits))
                parameters = max(runs.parameter_differences(run.digits, reference.digits))
                difference = f"losses {losses:.1e}, parameters {parameters:.1e}"
            rows.append([run.name, run.device, "digits", result, difference, f"{run.digits_seconds:.1f} s"])
        return rows


PLURALS = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles"}


def count(kinds: Counter[str]) -> str:
    """Say how many there are of each kind: "34 minima, 1 saddle"."""
    return ", ".join(f"{n} {kind if n == 1 else PLURALS.get(kind, kind)}" for kind, n in kinds.most_common())


def tell(outcome: Outcome, *, with_pictures: bool) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    outcome : Outcome
        What was found.
    with_pictures : bool
        Whether matplotlib is there to draw.
    """
    text = (
        "Differences are the largest along the whole way: of the points of all paths, of the training losses (relative) and of "
        "the trained parameters. All computations are in double precision."
    )
    sections = [Section("Results", [text], columns=outcome.columns(), rows=outcome.rows())]
    if outcome.done:
        sections.append(surface_section(outcome.done[0], with_pictures=with_pictures))
        if outcome.data is not None:
            sections.append(digits_section(outcome, outcome.data, with_pictures=with_pictures))
        sections.append(agreement_section(outcome))
    if outcome.advice:
        sections.append(Section("What could be added", outcome.advice))
    return page(outcome.verdict, outcome.good, sections, [run.library for run in outcome.done])


def surface_section(run: runs.BackendRun, *, with_pictures: bool) -> Section:
    """Tell of the surface, with the pictures of one backend: those of the others are the same within the tolerances."""
    paths = run.surface.paths
    pictures = []
    if with_pictures:
        from unidiff.cli.demo import plots

        caption = (
            "The way of every start to where it ends; the kind of each end point is told by the eigenvalues of its Hessian. "
            f"The dotted square is the domain. Drawn from the run on {run.name}."
        )
        pictures.append(Picture(plots.surface_paths(paths), caption))
        caption = "Every start is drawn faintly, the median of the starts in full."
        pictures.append(Picture(plots.gradient_norms(paths), caption))
    text = (
        "Gradient descent, gradient descent with momentum and a damped Newton method start from a grid of points in [0, 10]². "
        "The first two go down to minima; Newton's method, led by the Hessian, finds stationary points of every kind. The "
        "function is written once, for a whole batch of points, and differentiated by unidiff."
    )
    return Section(
        "A surface with many stationary points",
        [text],
        source=source_of(problems.surface, problems.gradients, problems.hessians),
        columns=("method", "end points"),
        rows=[[name, count(Counter(path.kinds))] for name, path in paths.items()],
        pictures=pictures,
    )


def digits_section(outcome: Outcome, data: problems.DigitsData, *, with_pictures: bool) -> Section:
    """Tell of the training on the images of digits."""
    pictures = []
    reference = outcome.done[0].digits
    if with_pictures and reference is not None:
        from unidiff.cli.demo import plots

        pictures.append(Picture(plots.loss_curves(outcome.done), "The curves lie on one another.", pair=True))
        if len(outcome.done) > 1:
            caption = "Rounding errors of different orders of summation; exact zeros are drawn at the lower edge."
            pictures.append(Picture(plots.training_differences(outcome.done), caption, pair=True))
        caption = "Held-out images and the class each was given; those in red were given a wrong one."
        pictures.append(Picture(plots.digit_images(data, reference), caption))
    text = (
        f"A softmax regression on {len(data.train_images)} images of 8 by 8 pixels, with momentum on all of them at every "
        f"step, from the same start on every backend; {len(data.test_images)} are held out."
    )
    return Section(
        "Handwritten digits",
        [text],
        source=source_of(problems.scores, problems.logsumexp, problems.softmax_loss),
        pictures=pictures,
    )


def agreement_section(outcome: Outcome) -> Section:
    """List every comparison beside what is allowed."""
    rows = [
        [d.backend, d.quantity, f"{d.value:.2e}", f"{d.tolerance:.0e}", "yes" if d.within else "NO"]
        for d in outcome.differences
    ]
    return Section("Agreement", columns=("backend", "quantity", "largest difference", "allowed", "within"), rows=rows)
