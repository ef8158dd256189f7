"""`docproc model`: train the networks, and see how good they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options
from docproc.cli.console import Progress, print_json, say
from docproc.cli.options import BACKENDS, FILE, Share, command, given, option
from docproc.errors import DONE, SOME_FAILED, BadUsage

if TYPE_CHECKING:
    from docproc.learn.progress import Step

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def model() -> None:
    """Train and examine the networks."""


# ------------------------------------------------------------------------------------------------------ train


@command(short_help="Train networks and write their cards and reports.")
@option("--data", type=FILE, metavar="MNIST",
        help="The folder with MNIST's four IDX files, or mnist.npz; without it Keras downloads them, and --from takes digits "
             "that docproc draws.")  # fmt: skip
@option("--pen", type=FOLDER, metavar="FOLDER",
        help="Pen trajectories of digits and marks (digits.npz, marks.npz) to compose fields from, beside MNIST.")  # fmt: skip
@option("--fonts", type=FOLDER, metavar="FOLDER",
        help="TrueType and OpenType fonts to compose print and letters from; those in its folder hand look like handwriting.  "
             "[default: the strokes that OpenCV has]")  # fmt: skip
@option("--refit", type=FILE, metavar="digits.keras", local=True,
        help="Keep the networks of this model, and fit anew what stands beside them: context, vote, calibration.")  # fmt: skip
@option("--from", "reviewed", type=FILE, metavar="REVIEWED", local=True,
        help="Learn from a table of results whose texts a person has corrected.")  # fmt: skip
@option("--base", type=FILE, metavar="digits.keras", local=True,
        help="With --from: the model to begin with, all files in one folder.  [default: the shipped one]")  # fmt: skip
@option("--results", type=FILE, metavar="RESULTS", local=True,
        help="With --from: the table of the run, if REVIEWED does not lie beside its journal.")  # fmt: skip
@option("--layout", metavar="LAYOUT|TEMPLATE.toml", local=True,
        help="With --from: how pages are read.  [default: as the run read them]")  # fmt: skip
@option("--max-error", type=Share(),
        help="With --from: the error at which more fields should be accepted.  [default: 1%]")  # fmt: skip
@option("-o", "--output", type=FOLDER, metavar="DIR", local=True,
        help="Where the model, its card and the report of the training are written.  [default: models, with --from: "
             "learned]")  # fmt: skip
@option("--network", default="digits", show_default=True, type=click.Choice(["digits", "classic", "micr"]),
        help="digits: the networks of handwriting. classic: the textbooks' network, for single digits. micr: that of "
             "E-13B, which needs no MNIST.")  # fmt: skip
@option("--quick", is_flag=True,
        help="A small recipe to try changes with: much faster, and it reads worse.")  # fmt: skip
@option("--seed", type=int, help="Another seed than the recipe's.")
@option("--strips", type=click.IntRange(50), help="Composed fields, or lines of E-13B, to train on.")
@option("--epochs", type=click.IntRange(1), help="Passes over the examples; of digits, those of the glyph network.")
@option("--line-strips", type=click.IntRange(50), help="Of the composed fields, those that the line networks are trained on.")
@option("--written-strips", type=click.IntRange(50), help="Handwritten fields that they are trained on in addition.")
@option("--line-epochs", type=click.IntRange(1), help="Passes of the line networks.")
@option("--cell-combs", type=click.IntRange(50), help="Composed combs whose cells are trained on.")
@option("--cell-epochs", type=click.IntRange(1), help="Passes of the cell network.")
@option("--fit-strips", type=click.IntRange(100),
        help="Composed fields for context, vote and calibration; with --from those to be read no worse.")  # fmt: skip
@option("--patience", type=click.IntRange(0),
        help="Epochs without a better validation after which a training ends; 0: never.")  # fmt: skip
@option("-j", "--jobs", default=0, type=click.IntRange(0), help="Processes that compose; 0 takes every core.")
@options.overwrite("a model")
@click.pass_context
def train(
    context: click.Context,
    /,
    reviewed: Path | None,
    base: Path | None,
    results: Path | None,
    layout: str | None,
    max_error: float | None,
    output: Path | None,
    network: str,
    jobs: int,
    **rest: Any,
) -> None:
    """Train networks, export them to ONNX, write their card, and a report with the curves of the training.

    A training that was interrupted goes on after its last epoch with the same command.

    With --from a model goes on from where it is, on fields that a person has corrected mixed with composed ones. A third of the
    documents is held back. The new model is only written when more of their fields can be accepted at --max-error than before,
    when composed fields are read no worse, and no more of what is accepted is wrong; else it exits with 1.
    """
    jobs = jobs or os.cpu_count() or 1
    if reviewed is None:
        if given(context, "base", "results", "layout", "max_error"):
            raise BadUsage("--base, --results, --layout and --max-error go with --from REVIEWED")
        if network != "digits" and given(context, "pen", "fonts", "refit"):
            raise BadUsage("--pen, --fonts and --refit go with --network digits")
        _train_anew(network, output or Path("models"), jobs, **rest)
        return
    if given(context, "pen", "fonts", "refit", "quick"):
        raise BadUsage("--pen, --fonts, --refit and --quick do not go with --from")
    if network != "digits":
        raise BadUsage("--from corrects what is written by hand; it has no --network")
    written = _retrain(
        reviewed=reviewed, base=base, results=results, layout=layout or "", jobs=jobs, output=output or Path("learned"),
        max_error=0.01 if max_error is None else max_error,
        **{name: value for name, value in rest.items() if name not in ("pen", "fonts", "refit", "quick")},
    )  # fmt: skip
    context.exit(DONE if written else SOME_FAILED)


def _train_anew(
    network: str,
    output: Path,
    jobs: int,
    overwrite: bool,
    quick: bool = False,
    data: Path | None = None,
    pen: Path | None = None,
    fonts: Path | None = None,
    refit: Path | None = None,
    **changes: Any,
) -> None:
    _prepare_training()
    from docproc.commands.train import TrainingData, make_recipe, train_model

    chosen = make_recipe(network, _wanted(changes), quick=quick)
    with Progress() as progress:
        card = train_model(chosen, TrainingData(data, pen, fonts, refit), output, jobs, overwrite, reporter(progress))
    print_json(card["scores"])
    for line in _scores_told(card["scores"]):
        say(line)
    say(f"report: {output / network}.html")


def _scores_told(scores: dict[str, Any]) -> Iterator[str]:
    """The scores of a training in sentences, as far as a person asks for them."""
    if "mnist_test_accuracy" in scores:
        yield f"of MNIST's test digits {scores['mnist_test_accuracy']:.2%} are read right"
    for name, share in scores.items():
        if name.endswith("_onnx_agrees_with_keras"):
            called = name.partition("_")[0]
            yield f"{called}: the exported network agrees with the trained one in {share:.2%} of cases"
    if "decoder_off_by" in scores:
        yield f"digits that are drawn from what it saw are off by {scores['decoder_off_by']:.1%} of black on average"


def _retrain(
    *, reviewed: Path, output: Path, base: Path | None, results: Path | None, layout: str, data: Path | None, max_error: float,
    jobs: int, overwrite: bool, **changes: Any,
) -> bool:  # fmt: skip
    """Whether the new model was written."""
    _prepare_training()
    from docproc.commands.retrain import RetrainRequest, retrain
    from docproc.commands.train import recipe_changes

    request = RetrainRequest(
        reviewed, output, base, results, layout, data, max_error, recipe_changes("digits", _wanted(changes)), jobs, overwrite
    )
    with Progress() as progress:
        comparison, written = retrain(request, reporter(progress))
    click.echo(comparison)
    return written


def _wanted(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _prepare_training() -> None:
    """Raises MissingPart before anything is imported that needs what is missing."""
    from docproc.learn.environment import check_training

    check_training()
    _quiet_tensorflow()
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # without it sixteen bits are emulated, many times slower


def _quiet_tensorflow() -> None:
    """Let it log errors alone; it reads this when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def reporter(progress: Progress) -> Callable[[str | Step], None]:
    """What shows the progress of a training; its messages go to stderr as they are."""

    def tell(news: str | Step) -> None:
        if isinstance(news, str):
            progress.say(news)
            return
        shown = news.note or (f"{news.done} of {news.total}" if news.total else "")
        progress.update(news.name, news.done, news.total, shown, f"{news.name}: {shown}" if news.done else news.name)

    return tell


# ------------------------------------------------------------------------------------------- how good is it?


@command(short_help="Say which digit a picture shows.")
@click.argument("images", nargs=-1, required=True, type=FILE, metavar="IMAGE...")
@options.model
@options.backend
@option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png", local=True,
        help="Also draw what the network was shown, and what it saw there.")  # fmt: skip
@options.as_json
@options.overwrite("a picture")
def predict(
    images: tuple[Path, ...], model: Path | None, backend: str, picture: Path | None, as_json: bool, overwrite: bool
) -> None:
    """Say which digit a picture shows, with the probability of each of the ten.

    IMAGE holds one digit: any size, dark on light or light on dark.
    """
    from docproc.commands.predict import predict_pictures

    found = predict_pictures(images, model, backend, picture, overwrite=overwrite)
    if as_json:
        print_json([{"image": one.image, "digit": one.digit, "probabilities": one.probabilities, "a_digit": one.a_digit}
                    for one in found])  # fmt: skip
    else:
        for one in found:
            doubt = f"; that it is a digit at all: {one.a_digit:.2%}" if one.a_digit < 0.99 else ""
            click.echo(f"{one.image}: {one.digit}{doubt}")
            for digit, share in enumerate(one.probabilities):
                click.echo(f"  {digit} {share:8.2%} {'#' * round(40 * share)}".rstrip())
    if picture:
        say(f"picture: {picture}")


@command(short_help="Say how well a model, or a run, reads.", options_metavar="[--on mnist|PATH] [OPTIONS]")
@click.argument("subjects", nargs=-1, type=FILE, metavar="[MODEL | RESULTS TRUTH]")
@option("--on", metavar="mnist|PATH", local=True,
        help="Evaluate MODEL, or the shipped one, on MNIST's test digits: those of mnist.npz, of a folder with the four IDX "
             "files, or those that Keras downloads; or on pictures of digits in folders named 0 to 9.")  # fmt: skip
@option("--report", type=FILE, metavar="FILE.html", local=True,
        help="The report, with plots by matplotlib.  [default: evaluation.html of a MODEL, none of RESULTS]")  # fmt: skip
@option("--json", "figures", type=FILE, metavar="FILE.json", local=True,
        help="The figures, for a program.  [default: evaluation.json of a MODEL, none of RESULTS]")  # fmt: skip
@options.backend
@options.overwrite("files")
def evaluate(
    subjects: tuple[Path, ...], on: str | None, report: Path | None, figures: Path | None, backend: str, overwrite: bool
) -> None:
    """Say how well a model reads single digits, or how well the results of a run agree with the truth.

    RESULTS is a table that docproc run wrote, or its journal. TRUTH is a table with the columns document, page (1 where it is
    left out), field, text, and value if you like: .csv, .jsonl, .xlsx or .parquet. A field counts as right only when its
    whole text is.
    """
    from docproc.commands.evaluate import evaluate as assess

    summary, written, left_out = assess(subjects, on, backend, report, figures, overwrite=overwrite)
    click.echo(summary)
    for path in written:
        say(f"written: {path}")
    if left_out:
        say(left_out)


@command(short_help="Measure on your own truth what may be accepted.")
@click.argument("results", type=FILE)
@click.argument("truth", type=FILE)
@option("-o", "--output", type=FILE, metavar="FILE.json", local=True,
        help="Where the thresholds are written, for docproc run --thresholds; else they are only shown.")  # fmt: skip
@options.max_error
@option("--certainty", default="95%", show_default=True, type=Share(),
        help="How certain that should be, as far as the truth is a fair sample.")  # fmt: skip
@option("--together", is_flag=True, help="One threshold for all fields: less truth is needed, and the error is that of all.")
@options.model
@options.overwrite("a file")
@click.pass_context
def calibrate(context: click.Context, /, **request: Any) -> None:
    """Find from truth of your own how confident a field must be to be accepted, so that an error is kept.

    RESULTS and TRUTH are those of docproc model evaluate. The truth should be a fair sample: all fields of pages that were
    picked by chance, say. For each field the table shows what each error would cost: the share that is accepted, and the
    error that is not exceeded with the certainty. What the truth cannot support is not promised: then it says how many
    more fields it takes, and exits with 1.
    """
    from docproc.commands.evaluate import calibrate as find_thresholds

    shown, kept, notes = find_thresholds(**request)
    click.echo(shown)
    for note in notes:
        say(note)
    context.exit(DONE if kept else SOME_FAILED)


# ---------------------------------------------------------------------------------------------- other forms


@command(short_help="Write the networks from Keras to ONNX and TensorRT.")
@option("-o", "--output", required=True, type=FOLDER, metavar="DIR",
        help="Where the files are written, with a card, so that DIR is a model too.")  # fmt: skip
@option("--data", type=FILE, metavar="MNIST",
        help="The folder with MNIST's four IDX files, or mnist.npz; without it Keras downloads them.")  # fmt: skip
@option("--model", type=FILE, help="A model of your own (.onnx, its .keras files and card beside it).")
@option("--precision", "precisions", multiple=True, default=["float32", "float16"], show_default=True,
        type=click.Choice(["float32", "float16"]), help="May be given twice.")  # fmt: skip
@options.as_json
@options.overwrite("files")
def export(
    output: Path, data: Path | None, model: Path | None, precisions: tuple[str, ...], as_json: bool, overwrite: bool
) -> None:
    """Write the networks from Keras to ONNX, and on to TensorRT engines; tell how far each form is from Keras.

    Compared on MNIST's test digits: as they are, five on a line, or alone in a cell. The files of eight bits come from
    docproc model train, because they are laid out by composed fields; they are compared too. Engines are kept in the
    user's cache, where docproc run finds them.
    """
    _prepare_training()
    from dataclasses import asdict

    from docproc.commands.export import export_model, table_lines

    rows = export_model(model, output, precisions, data, overwrite=overwrite)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for line in table_lines(rows):
        click.echo(line)


@command(short_help="Measure digits a second of every backend, or whole pages.")
@option("--end-to-end", "inputs", multiple=True, type=FILE, metavar="INPUT", local=True,
        help="Read these scans as a run does, beside other programs that are installed; may be given again.")  # fmt: skip
@option("--layout", default="auto", show_default=True, metavar="LAYOUT|TEMPLATE.toml", local=True,
        help="With --end-to-end: how pages are read.")  # fmt: skip
@option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="With --end-to-end: how often.")
@option("--backend", "backends", multiple=True, type=click.Choice(BACKENDS[1:]), local=True,
        help="Only this one; may be given again.  [default: all]")  # fmt: skip
@option("--batch", "batches", multiple=True, default=[1, 8, 32, 64, 128, 256, 1024], show_default=True,
        type=click.IntRange(1), help="Digits at a time; may be given again.")  # fmt: skip
@option("--seconds", default=0.3, show_default=True, type=click.FloatRange(0.01),
        help="How long one turn takes; there are five.")  # fmt: skip
@options.model
@options.as_json
@click.pass_context
def bench(
    context: click.Context,
    /,
    inputs: tuple[Path, ...],
    layout: str,
    rounds: int,
    backends: tuple[str, ...],
    batches: tuple[int, ...],
    seconds: float,
    model: Path | None,
    as_json: bool,
) -> None:
    """Digits a second of every backend on this machine, beside a plain call of the library on the same file.

    On one core, as each process of docproc run has it. Below it stands the floor that the core lays: by the arithmetic of
    a digit, and by the bytes that go from layer to layer.

    With --end-to-end: pages and fields a second of the whole of reading, from bytes to rows, beside what decoding the files
    takes, and beside RapidOCR and Tesseract where they are installed, in turns over the same files.
    """
    _quiet_tensorflow()
    from dataclasses import asdict

    if inputs:
        _bench_end_to_end(context, inputs, layout, rounds, backends, model, as_json=as_json)
        return
    if given(context, "layout", "rounds"):
        raise BadUsage("--layout and --rounds go with --end-to-end INPUT")
    from docproc.commands.bench import measure, table_lines

    found = measure(backends, model, batches, seconds)
    if as_json:
        print_json(asdict(found) | {"silent": dict(found.silent)})
        return
    for line in table_lines(found):
        click.echo(line)


def _bench_end_to_end(
    context: click.Context,
    inputs: tuple[Path, ...],
    layout: str,
    rounds: int,
    backends: tuple[str, ...],
    model: Path | None,
    *,
    as_json: bool,
) -> None:
    if given(context, "batches", "seconds"):
        raise BadUsage("--batch and --seconds do not go with --end-to-end; it takes --rounds")
    if len(backends) > 1:
        raise BadUsage("--end-to-end takes one --backend")
    from dataclasses import asdict

    from docproc.commands.bench import end_to_end_lines, measure_end_to_end

    with Progress() as progress:
        found = measure_end_to_end(inputs, layout, backends[0] if backends else "auto", model, rounds, reporter(progress))
    if as_json:
        print_json(asdict(found))
        return
    for line in end_to_end_lines(found):
        click.echo(line)


for member in (train, predict, evaluate, calibrate, export, bench):
    model.add_command(member)
