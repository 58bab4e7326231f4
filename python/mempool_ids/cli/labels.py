"""`mempool-ids labels`: lists of known attackers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from mempool_ids.cli.options import ConfigFile, Json, Overrides, configuration
from mempool_ids.cli.terminal import say
from mempool_ids.config.early import Early
from mempool_ids.exceptions import ConfigError

if TYPE_CHECKING:
    from mempool_ids.early.labels import Label

app = typer.Typer(no_args_is_help=True, help="Lists of known attackers.")

# Of each kind, so many are named.
_NAMED = 10


@app.command()
def update(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table (address, role, …), labels in JSON or JSON lines, or a bundle of `labels export`.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
    config: ConfigFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Takes a list of known attackers in the place of the last one of the same origin: the own, or who signed it.

    Says what is new, changed and gone, and each line that cannot be read. Where `early.signers` names somebody, only
    their bundles are taken, and none that is older than what is there.

    **Example**

        mempool-ids labels update past_attackers.csv -c ids.toml
    """
    from mempool_ids.early.labels import Book
    from mempool_ids.early.labels.bundle import MAX_BYTES

    early = configuration(config, overrides).early
    with file.open("rb") as opened:
        raw = opened.read(MAX_BYTES + 1)
    try:
        change = Book(early.labels, early.signers).update(raw)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    if json:
        told = {
            "origin": change.origin,
            "kept": change.kept,
            "new": [label.entity for label in change.new],
            "changed": [label.entity for label in change.changed],
            "removed": [label.entity for label in change.removed],
            "unreadable": [{"line": line, "reason": why} for line, why in change.unreadable],
        }
        sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
        return
    for line, why in change.unreadable:
        say(f"{file}:{line}: left out: {why}")
    for name, labels in (("new", change.new), ("changed", change.changed), ("removed", change.removed)):
        _name(name, labels)
    say(
        f"{change.origin}: {change.kept:,} labels; {len(change.new):,} new, {len(change.changed):,} changed, "
        f"{len(change.removed):,} removed, {len(change.unreadable):,} unreadable"
    )


def _name(what: str, labels: "tuple[Label, ...]") -> None:
    for label in labels[:_NAMED]:
        incident = label.metadata.get("incident")
        typer.echo(f"{what} {label.entity} {label.label}{f' {incident}' if incident else ''}")
    if len(labels) > _NAMED:
        typer.echo(f"{what} … and {len(labels) - _NAMED:,} more")


@app.command()
def export(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The bundle.", dir_okay=False, show_default=False)
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A list, as `labels update` takes it.",
            exists=True,
            dir_okay=False,
            show_default="the own list",
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Signs a list with `early.label_key`, for other sensors to take with `labels update`.

    They need the address that is printed, in their `early.signers`.

    **Example**

        mempool-ids labels export -o ours.json --set early.label_key=env:LABEL_KEY
    """
    from mempool_ids.defense.broadcast.bundle import Identity
    from mempool_ids.early.labels.bundle import sign

    settings = configuration(config, overrides)
    early, guardian = settings.early, settings.defense.guardian
    if early.label_key is None:
        raise ConfigError("early.label_key is not set: the key that signs")
    labels = _labels(early, file)
    identity = Identity.load(early.label_key, () if guardian is None else (guardian,))
    output.write_bytes(sign(labels, identity))
    say(f"wrote {output}: {len(labels):,} labels, signed by")
    typer.echo(identity.address)


def _labels(early: Early, file: Path | None) -> "list[Label]":
    """What is to be signed: nothing that others could not read. Raises `ConfigError`."""
    from mempool_ids.early.labels import Book, read
    from mempool_ids.early.labels.book import OWN

    if file is None:
        own = Book(early.labels).lists().get(OWN)
        if not own:
            raise ConfigError(
                f"{early.labels} has no list of your own: `mempool-ids labels update FILE`, or name one"
            )
        return own
    try:
        labels = read(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text") from None
    if labels.unreadable:
        line, why = labels.unreadable[0]
        raise ConfigError(f"{file}:{line}: {why}")
    return list(labels.by_id.values())
