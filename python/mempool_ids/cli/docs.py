"""`mempool-ids docs`: the documentation of this very version, for who has no checkout."""

from pathlib import Path
from typing import Annotated

import typer

from mempool_ids.cli.terminal import say

FOLDER = Path(__file__).parent.parent / "docs"


def docs(
    page: Annotated[
        str | None,
        typer.Argument(help="For example `defense`. Default: lists the pages.", show_default=False),
    ] = None,
) -> None:
    """Prints a page of the documentation of this version, as it is written: Markdown, or TOML to begin with.

    **Examples**

        mempool-ids docs

        mempool-ids docs defense | less

        mempool-ids docs armed > ids.toml
    """
    pages = {file.stem: file for file in sorted(FOLDER.iterdir()) if file.suffix in (".md", ".toml")}
    if page is None:
        for name, file in pages.items():
            title = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            typer.echo(f"{name:<14} {title}")
        say(f"files: {FOLDER}")
        return
    wanted = pages.get(page.removeprefix("docs/").removesuffix(".md").removesuffix(".toml"))
    if wanted is None:
        raise typer.BadParameter(f"there is no page {page!r}; there are {', '.join(pages)}")
    typer.echo(wanted.read_text(encoding="utf-8"), nl=False)
