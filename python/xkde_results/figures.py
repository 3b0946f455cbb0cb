"""Figures of results. Each function returns a matplotlib Figure, which save() writes as SVG or PDF.

Lines differ by colour, by marker and by how they are drawn, so that they can be told apart in print.
"""

import itertools
import pathlib

from .errors import needed
from .paper import labels_of
from .rows import unit
from .runs import evaluations_of, runs_of

# Okabe and Ito's colours, dark ones first: https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 2)))
MOST_MARKERS = 12  # on a line
APART = 1.03  # lines stand beside each other by this factor, so that their intervals can be seen
STREAMED = ("batch", "sequential")


def new_figure(width=6.4, height=4.0):
    """No window and no global state: a Figure of its own, with one Axes."""
    figure = needed("matplotlib.figure", "plots").Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def styles():
    """Endless; colour, marker and dashes come back together after 280 lines only."""
    for colour, marker, dashes in zip(*map(itertools.cycle, (COLOURS, MARKERS, DASHES))):
        yield dict(color=colour, marker=marker, linestyle=dashes, markersize=5, linewidth=1.4)


def finish(axes, xlabel, ylabel, lines):
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(True, linewidth=0.4, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if lines > 1:
        axes.legend(fontsize="small", frameon=False)


def save(figure, path):
    """Writes .svg, .pdf or .png. The same results give the same bytes, and texts stay texts."""
    path = pathlib.Path(path)
    kind = path.suffix.removeprefix(".").lower()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}, "png": {}}
    if kind not in metadata:
        raise ValueError(f"{path}: expected a name that ends in .svg, .pdf or .png")
    settings = {"svg.hashsalt": "xkde", "svg.fonttype": "none", "pdf.fonttype": 42}
    with needed("matplotlib", "plots").rc_context(settings):
        figure.savefig(path, format=kind, metadata=metadata[kind], **({"dpi": 200} if kind == "png" else {}))


def smoothed(values, window):
    """The mean of each value and those before it, `window` in all."""
    return [sum(part) / len(part) for end in range(1, len(values) + 1) if (part := values[max(0, end - window):end])]


def curve_of(stage, key):
    """(steps, values) of the lines that have a number there."""
    points = [(line["step"], line[key]) for line in stage.metrics
              if all(isinstance(line.get(name), (int, float)) for name in ("step", key))]
    return [list(part) for part in zip(*points)] or [[], []]


def training_curve(runs, key="loss", smooth=1, log=False):
    """A key of metrics.jsonl over steps, a line for each training stage. `smooth`: steps of a running mean."""
    figure, axes = new_figure()
    stages = [stage for run in runs_of(runs) for stage in run.trainings]
    curves = [(stage, *curve_of(stage, key)) for stage in stages]
    curves = [curve for curve in curves if curve[1]]
    if not curves:
        keys = sorted({name for stage in stages for line in stage.metrics for name in line})
        raise ValueError(f"key: expected one of metrics.jsonl of a training: {', '.join(keys) or 'none'}; found {key!r}")
    names = {stage.run_name for stage, _, _ in curves}
    for (stage, steps, values), style in zip(curves, styles()):
        label = f"{stage.run_name}, {stage.name}" if len(names) > 1 else stage.name
        if smooth > 1:
            axes.plot(steps, values, color=style["color"], linewidth=0.5, alpha=0.3)
        axes.plot(steps, smoothed(values, smooth), label=label, markevery=-(-len(steps) // MOST_MARKERS), **style)
    if log:
        axes.set_yscale("log")
    finish(axes, "step", key + (f" (mean of {smooth} steps)" if smooth > 1 else ""), len(curves))
    return figure


def chosen_rows(stage, metric, **wanted):
    rows = [row for row in stage.results if row.asks_edits and row.metric == metric and row.value is not None
            and all(value is None or getattr(row, name) == value for name, value in wanted.items())]
    return [row for row in rows if row.order != "drawn" or row.seed is None]


def mean_of(rows, name):
    values = [getattr(row, name) for row in rows]
    return None if None in values else sum(values) / len(values)


def one_of(rows, name):
    """Raises ValueError where rows have several values of a field that a figure shows one of."""
    values = list(dict.fromkeys(getattr(row, name) for row in rows))
    if len(values) > 1:
        raise ValueError(f"{name}: expected one for a figure, found {values}; choose with {name}=")
    return values[0]


def interval_lengths(means, bounds):
    """What errorbar draws below and above; nothing where a point has no interval."""
    below, above = [], []
    for value, (low, high) in zip(means, bounds):
        has_both = low is not None and high is not None
        below.append(max(0.0, value - low) if has_both else 0.0)
        above.append(max(0.0, high - value) if has_both else 0.0)
    return [below, above]


def metric_by_size(of, metric="reliability", *, benchmark=None, mode=None, edit_language=None, test_language=None,
                   labels=None):
    """A metric over the edits of a batch or stream, a line for each evaluation with its 95 % intervals.

    Over several language pairs it is their mean, and so are the intervals. Sizes are on a log axis.
    """
    figure, axes = new_figure()
    wanted = dict(benchmark=benchmark, mode=mode, edit_language=edit_language, test_language=test_language)
    kept = [(stage, rows) for stage in evaluations_of(of)
            if (rows := [row for row in chosen_rows(stage, metric, **wanted) if row.mode in STREAMED])]
    if not kept:
        raise ValueError(f"expected batches or streams with {metric!r}, found none that fit {wanted}")
    everything = [row for _, rows in kept for row in rows]
    benchmark, mode = one_of(everything, "benchmark"), one_of(everything, "mode")
    sizes = sorted({row.size for row in everything})
    labels = labels_of([stage for stage, _ in kept], labels)
    for place, ((_, rows), label, style) in enumerate(zip(kept, labels, styles())):
        by_size = {size: part for size in sizes if (part := [row for row in rows if row.size == size])}
        means = [mean_of(part, "value") for part in by_size.values()]
        bounds = [(mean_of(part, "low"), mean_of(part, "high")) for part in by_size.values()]
        beside = APART ** (place - (len(kept) - 1) / 2)
        axes.errorbar([size * beside for size in by_size], means, yerr=interval_lengths(means, bounds), capsize=3,
                      elinewidth=0.8, label=label, **style)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    pairs = dict.fromkeys(row.pair for row in everything)
    axes.set_title(f"{benchmark}, {mode}, " + (next(iter(pairs)) if len(pairs) == 1 else f"mean of {len(pairs)} pairs"),
                   fontsize="medium")
    finish(axes, "edits", metric + unit(metric), len(kept))
    return figure


def heat_map(of, metric="reliability", *, benchmark=None, mode=None, size=None):
    """A metric by edit language (rows) and test language (columns) of one evaluation, with its values."""
    stages = [stage for stage in evaluations_of(of) if chosen_rows(stage, metric)]
    if len(stages) != 1:
        raise ValueError(f"expected one evaluation with {metric!r}, found {len(stages)}: "
                         + (", ".join(stage.title for stage in stages) or "none"))
    rows = chosen_rows(stages[0], metric, benchmark=benchmark, mode=mode, size=size)
    if not rows:
        raise ValueError(f"{stages[0].title}: no row fits {dict(benchmark=benchmark, mode=mode, size=size)}")
    scope = [one_of(rows, name) for name in ("benchmark", "mode", "size")]
    edits, tests = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("edit_language", "test_language"))
    values = {(row.edit_language, row.test_language): row.value for row in rows}
    grid = [[values.get((edit, test), float("nan")) for test in tests] for edit in edits]
    figure, axes = new_figure(1.8 + 0.62 * len(tests), 1.5 + 0.5 * len(edits))
    image = axes.imshow(grid, cmap="cividis", aspect="auto", **(dict(vmin=0, vmax=100) if unit(metric) else {}))
    for (edit, test), value in values.items():
        shade = image.cmap(image.norm(value))
        luminance = 0.2126 * shade[0] + 0.7152 * shade[1] + 0.0722 * shade[2]
        axes.text(tests.index(test), edits.index(edit), f"{value:.1f}", ha="center", va="center",
                  fontsize="small", color="black" if luminance > 0.45 else "white")
    axes.set_xticks(range(len(tests)), tests)
    axes.set_yticks(range(len(edits)), edits)
    axes.set_xlabel("test language")
    axes.set_ylabel("edit language")
    scope_text = scope[1] if scope[1] == "single" else f"{scope[1]} of {scope[2]:,}"
    axes.set_title(f"{metric}: {scope[0]}, {scope_text}, {stages[0].label}", fontsize="medium")
    figure.colorbar(image, ax=axes, label=metric + unit(metric))
    return figure
