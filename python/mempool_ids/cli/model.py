"""`mempool-ids model`: train, evaluate, describe; traces to do it with."""

import enum
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mempool_ids.cli import traces as recording
from mempool_ids.cli.options import ConfigFile, Overrides, configuration
from mempool_ids.model.manifest import BUILTIN

app = typer.Typer(
    no_args_is_help=True, help="Train and evaluate classifiers. Needs `pip install mempool-ids[train]`."
)
app.command("traces")(recording.traces)


class Kind(enum.StrEnum):
    random_forest = "random_forest"
    gradient_boosting = "gradient_boosting"
    all = "all"


ModelDir = Annotated[
    Path | None,
    typer.Argument(
        help="Folder with manifest.json.",
        show_default="detection.model of the configuration, else the package's own",
        exists=True,
        file_okay=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of labelled transactions.", exists=True, file_okay=False, show_default=False),
]


Traces = Annotated[
    list[Path] | None,
    typer.Option(
        help="Labelled traces instead, for the model over what a simulated transaction does: a file, or a folder with"
        " *.jsonl.gz; may be given again.",
        exists=True,
        show_default=False,
    ),
]


Early = Annotated[
    Path | None,
    typer.Option(
        help="Labelled contracts instead, for the models over a contract's code: a Parquet file, or a folder with"
        " contracts/train.parquet.",
        exists=True,
        show_default=False,
    ),
]


@app.command()
def train(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the model and its manifest.", file_okay=False)
    ],
    data: Data = None,
    synthetic: Annotated[int, typer.Option(help="So many rows of synthetic data, too.", min=0)] = 0,
    kind: Annotated[
        Kind, typer.Option(help="Kind of model; `all` makes the better one the default.")
    ] = Kind.random_forest,
    traces: Traces = None,
    early: Early = None,
    newest_from: Annotated[
        datetime | None,
        typer.Option(
            help="With --traces: do not learn from what is of that day or after it, but measure on it what the"
            " thresholds are worth later.",
            formats=["%Y-%m-%d"],
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 0,
) -> None:
    """Trains a model and exports it, unless scikit-learn, onnxruntime and the sensor disagree on a row.

    **Examples**

        mempool-ids model train --data data/ -o mymodel/

        mempool-ids model train --synthetic 20000 -o toy/

        mempool-ids model train --traces traces/ -o mymodel/

        mempool-ids model train --early contracts.parquet -o mymodel/
    """
    if early is not None:
        if data is not None or synthetic or traces or newest_from is not None:
            raise typer.BadParameter("give --early alone: it trains other models")
        from mempool_ids.model.training.early import commands as contracts

        contracts.train(early, output, seed, progress=_progress)
        typer.echo(f"wrote {output}", err=True)
        return
    if traces:
        if data is not None or synthetic:
            raise typer.BadParameter(
                "give --traces alone: it trains another model than --data and --synthetic"
            )
        from mempool_ids.model.training import verdict

        verdict.train(traces, output, seed, progress=_progress, newest_from=newest_from)
        typer.echo(f"wrote {output}", err=True)
        return
    if newest_from is not None:
        raise typer.BadParameter("--newest-from goes with --traces")
    if data is None and not synthetic:
        raise typer.BadParameter("give --data DIR, --synthetic ROWS or both, or --traces FILES")
    from mempool_ids.model.training import commands

    commands.train(data, synthetic, kind.value, output, seed, progress=_progress)
    typer.echo(f"wrote {output}", err=True)


def _rates(rates: list[float] | None) -> list[float] | None:
    for rate in rates or ():
        if not 0 < rate < 1:
            raise typer.BadParameter(f"{rate:g} is no rate between 0 and 1")
    return rates


@app.command("eval")
def evaluate(
    model_dir: ModelDir = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled transactions: a Parquet file, or a folder as `train` takes it.",
            exists=True,
            show_default=False,
        ),
    ] = None,
    traces: Traces = None,
    early: Early = None,
    fpr: Annotated[
        list[float] | None,
        typer.Option(
            help="A false positive rate, as 0.001, to find threshold and recall for; may be given again.",
            callback=_rates,
            show_default=False,
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="Write each row's score there, as JSON lines.", dir_okay=False, show_default=False),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Measures a model on labelled transactions, or traces, and prints the figures as JSON.

    Benign rows alone give the false positive rate, exploits alone the recall. A label that is neither, or none, is an
    error. A date without a day stands for the first one of its month or year.

    On the data the model was trained from, its recipe is trained again on each split, so that no row is judged by a
    model that has seen it, and "reproduces" says whether the model card's figures came out: this takes minutes.

    **Examples**

        mempool-ids model eval mymodel/ --data data/

        mempool-ids model eval --traces mine.jsonl.gz --fpr 0.001 --scores scores.jsonl
    """
    folder = _folder(model_dir, config, overrides)
    if early is not None:
        if data is not None or traces or fpr or scores:
            raise typer.BadParameter("give --early alone")
        from mempool_ids.model.training.early import commands as contracts

        typer.echo(json.dumps(contracts.evaluate(folder, early, _progress), indent=1))
        return
    if (data is None) == (not traces):
        raise typer.BadParameter("give one of --data, --traces, --early")
    # Before what takes minutes.
    if scores is not None and not scores.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {scores.parent}", param_hint="--scores")
    asked: dict[str, Any] = {"progress": _progress, "rates": fpr or (), "scores": scores}
    if data is not None:
        from mempool_ids.model.training import commands

        result = commands.evaluate(folder, data, **asked)
    else:
        from mempool_ids.model.training import verdict

        result = verdict.evaluate(folder, traces or [], **asked)
    typer.echo(json.dumps(result, indent=1))


@app.command()
def card(model_dir: ModelDir = None, config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Prints the model card: what was measured, on what, and what it does not say.

    **Example**

        mempool-ids model card
    """
    from mempool_ids.model.training import commands

    typer.echo(commands.card(_folder(model_dir, config, overrides)), nl=False)


def _folder(model_dir: Path | None, config: Path | None, overrides: list[str] | None) -> Path:
    """The model that is named, else the one that the sensor would use."""
    return model_dir or configuration(config, overrides).detection.model or BUILTIN


def _progress(what: str) -> None:
    typer.echo(what, err=True)
