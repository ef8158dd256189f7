"""Plots for a report: numbers in, one SVG out. Matplotlib is imported only in this module, and late."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.learn.evaluation.scoring import Bin, Curve, error_upper_bound, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, RED, GRAY = "#0b5394", "#b3261e", "#8a8f98"
COLORS = (BLUE, "#c77700", "#2e7d32", "#7b3fa0", "#00838f", "#6d4c41")
SIZE_IN = (4.6, 3.7)
MAX_POINTS = 400  # of a curve


def check_plots() -> None:
    """Raises MissingPart if Matplotlib is not installed."""
    if not find_spec("matplotlib"):
        raise MissingPart("reports need matplotlib: pip install matplotlib")


def _svg(draw: Callable[[Axes], object], size: tuple[float, float] = SIZE_IN) -> str:
    """Draw one set of axes, as SVG; the same numbers give the same bytes. Raises MissingPart."""
    check_plots()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: dict[str, Any] = {
        "svg.hashsalt": "docproc", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": "#e3e5e8", "axes.axisbelow": True, "legend.frameon": False,
    }  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def confusion_plot(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """A confusion matrix of (n, n) counts, rows: truth, columns: reading; the diagonal is gray, errors are red."""

    def draw(axes: Axes) -> None:
        axes.grid(False)
        wrong = np.where(np.eye(len(names), dtype=bool), 0, counts)
        places = np.arange(len(names))
        # The few errors must be visible next to the many correct readings.
        shades = np.ma.masked_equal(np.sqrt(wrong), 0)
        axes.pcolormesh(places, places, shades, cmap="Reds", vmin=0, vmax=max(1.0, 1.25 * float(np.sqrt(wrong.max()))))
        for k in places:
            axes.fill_between([k - 0.5, k + 0.5], k - 0.5, k + 0.5, color="#eceef1", linewidth=0)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.set_xlabel("read")
        axes.set_ylabel("truth")

    return _svg(draw, (4.9, 4.6))


def reliability_plot(bins: Sequence[Bin]) -> str:
    """A reliability diagram: bins of equal count with their 95 % intervals; a calibrated reader lies on the diagonal."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--")
        for one in bins:
            low, high = interval(one.right, one.count)
            axes.plot([one.confidence, one.confidence], [low, high], color=BLUE, linewidth=1)
        axes.plot([one.confidence for one in bins], [one.right / one.count for one in bins], "o", color=BLUE, markersize=4)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share that is right")

    return _svg(draw)


def error_reject_plot(curves: Mapping[str, Curve]) -> str:
    """The error rate among the accepted fields for every accepted share, most confident first.

    A single curve has a band up to the error rate that is not exceeded with 95 % certainty.
    """

    def draw(axes: Axes) -> None:
        most = 0.0
        for color, (name, one) in zip(COLORS * len(curves), curves.items(), strict=False):
            points = _thinned(one)
            share, error = one.accepted[points] / max(1, one.fields), one.wrong[points] / one.accepted[points]
            axes.plot(100 * share, 100 * error, color=color, linewidth=1.4, label=name)
            most = max(most, float(error[-1]) if len(error) else 0.0)
            if len(curves) == 1:
                bound = [error_upper_bound(int(one.wrong[k]), int(one.accepted[k])) for k in points]
                axes.fill_between(100 * share, 100 * error, 100 * np.array(bound), color=color, alpha=0.15, linewidth=0)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, max(0.5, 125 * most))
        axes.set_xlabel("accepted, % of all")
        axes.set_ylabel("wrong, % of the accepted")
        if len(curves) > 1:
            axes.legend()

    return _svg(draw)


def _thinned(one: Curve) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, len(one.accepted) - 1, min(MAX_POINTS, len(one.accepted))).astype(np.int64))


def history_plot(history: Mapping[str, Sequence[float]], label: str) -> str:
    """Metrics over the epochs of a training: one line per name, one value per epoch; `label` is that of the y axis."""

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        for color, (name, values) in zip(COLORS * len(history), history.items(), strict=False):
            axes.plot(range(1, len(values) + 1), list(values), color=color, linewidth=1.4, marker="o", markersize=3, label=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.legend()

    return _svg(draw)
