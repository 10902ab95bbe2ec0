"""``speckit-bot``: the commands. Each loads only the part it needs, so that `web` runs without Docker's client.

Exit codes: 0 done, 1 it went wrong, 2 the settings or the command line are wrong, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.errors import CommandError

# ruff: noqa: PLC0415 - see the first line

app = typer.Typer(
    name="speckit-bot",
    help="Turns a comment on GitHub into a reviewed specification.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
engine = typer.Typer(help="The Docker engine of this machine: one that runs, or one of our own.", no_args_is_help=True)
app.add_typer(engine, name="engine")


@app.command()
def web() -> None:
    """Listen for GitHub's webhooks and show the run pages."""
    from cli.serve import serve_web

    serve_web()


@app.command()
def worker() -> None:
    """Execute runs."""
    from cli.serve import serve_worker

    serve_worker()


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from cli.serve import migrate_database

    migrate_database()


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check settings, database, Redis, engine, image, the App and its permissions; say the cure for what is wrong."""
    from cli.doctor import examine

    sys.exit(examine(as_json=as_json))


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout at the end.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up until Ctrl-C.")] = False,
    text: Annotated[str, typer.Option(help="What to ask for.")] = "Let customers pay by invoice. Net 30, EU only.",
) -> None:
    """Go the whole way on this machine: a stand-in for GitHub, the bot, a worker, a comment, a pull request."""
    from cli.demo import run_demo

    sys.exit(run_demo(text, as_json=as_json, keep=keep))


@engine.command("up")
def engine_up() -> None:
    """Say where the engine is; start one that stays where none runs."""
    from cli.engine import up

    found = up()
    print(found.host)
    if found.own:
        print("speckit-bot: our own; it stays until: speckit-bot engine down", file=sys.stderr)


@engine.command("down")
def engine_down() -> None:
    """Stop our own engine, when nobody uses it."""
    from cli.engine import down

    print(down())


@engine.command("status")
def engine_status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Say which engine would be used. Exit code 1 when none runs."""
    from cli.engine import find

    found = find()
    if as_json:
        print(json.dumps({"host": found.host, "own": found.own} if found else None))
    elif found is None:
        print("no Docker engine runs here; start one with: speckit-bot engine up")
    else:
        print(f"{found.host} ({'our own' if found.own else 'not ours'})")
    sys.exit(0 if found else 1)


@engine.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def engine_run(
    context: typer.Context,
    image: Annotated[
        list[str] | None,
        typer.Option(help="Build this image first: job, all, or agents like codex,claude. Repeatable."),
    ] = None,
) -> None:
    """Run a command with DOCKER_HOST set: speckit-bot engine run -- docker info."""
    from cli.engine import run_with_engine

    if not context.args:
        raise CommandError("engine run: no command; write: speckit-bot engine run -- COMMAND")
    sys.exit(run_with_engine(context.args, image or []))


def main() -> None:
    """The entry point: whatever a person can cure ends in one line on stderr."""
    try:
        app()
    except CommandError as error:
        print(f"speckit-bot: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
