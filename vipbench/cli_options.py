"""Options that several commands share, and the group that turns bad input into one line."""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vipbench.errors import UserError

Command = Callable[..., Any]
MENDS = {
    errno.ENOSPC: "Make room and give the same command again",
    errno.EROFS: "Name a place that can be written to",
    errno.EACCES: "Name a place that may be used, or allow it",
    errno.ENOTDIR: "Name a folder",
}


class Commands(click.Group):
    """A group of commands that say what is wrong with their input in one line and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; bad input, a missing extra or a failing file ends it with a message."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.NoArgsIsHelpError, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted: what is finished is kept, the same command goes on from there", err=True)
            ctx.exit(130)
        except (UserError, click.UsageError, ModuleNotFoundError, OSError) as error:
            from vipbench.registry import EXTRA

            if isinstance(error, ModuleNotFoundError) and error.name not in EXTRA:
                raise
            message = _message(error)
        click.echo(f"error: {' '.join(message.split())}", err=True)
        ctx.exit(1)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that the first argument names. Raises UserError, with the known ones, for any other."""
        if self.get_command(ctx, args[0]) is None:
            raise UserError(f"unknown command {args[0]!r}. Known: {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def _message(error: Exception) -> str:
    if isinstance(error, click.UsageError):
        return error.format_message()
    if isinstance(error, ModuleNotFoundError):
        from vipbench.registry import install

        return f"this needs {error.name}: {install(str(error.name))}"
    if isinstance(error, OSError):
        told = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None)
        mend = MENDS.get(error.errno or 0)
        return f"{told}. {mend}" if mend else told
    return str(error)


def pairs(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE texts as a dict."""
    for value in values:
        if "=" not in value:
            raise UserError(f"option {option.opts[0]} {value}: expected KEY=VALUE")
    return {key: text for key, _, text in (value.partition("=") for value in values)}


def names(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """A comma-separated list as a tuple without blanks. Raises UserError for an empty one."""
    if value is None:
        return None
    found = tuple(name.strip() for name in value.split(",") if name.strip())
    if not found:
        raise UserError(
            f"option {option.opts[0]} {value!r}: expected names, for instance A,B; omit it for all"
        )
    return found


def size(_: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """HEIGHTxWIDTH as two numbers. Raises UserError for anything else."""
    sides = re.fullmatch(r"(\d{1,9})x(\d{1,9})", value) if value is not None else None
    if value is not None and not sides:
        how = "HEIGHTxWIDTH in pixels, for instance 96x160"
        raise UserError(f"option {option.opts[0]} {value}: expected {how}")
    return (int(sides[1]), int(sides[2])) if sides else None


def new_file(_: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    """A file to write or replace. Raises UserError for anything else that is there: a folder, a device."""
    if value is not None and value.exists() and not value.is_file():
        kind = "a folder" if value.is_dir() else "no regular file"
        raise UserError(f"option {option.opts[0]} {value}: is {kind}. Name a file to write")
    return value


def writable(path: Path) -> None:
    """Raise UserError if a file cannot be written there, before the work that it is for."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(f"{path}: {above} is no folder that can be written to. Name another place by --out")


def some_text(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A text that is not empty. Raises UserError for one that is."""
    if value is not None and not value.strip():
        raise UserError(f"option {option.opts[0]}: is empty. Name it, or leave the option out")
    return value


def cache_folder() -> Path:
    """Where `score` keeps what it saw of single videos: $XDG_CACHE_HOME/vipbench, else ~/.cache/vipbench."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vipbench"


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


path = click.Path(path_type=Path)
as_json = click.option(
    "--format", "fmt", type=click.Choice(["terminal", "json"]), default="terminal", help="How to print."
)
jobs = click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
strict_frames = click.option(
    "--strict-frames", is_flag=True, help="Missing and extra frames are errors, not warnings."
)
protocol = click.option(
    "--protocol",
    "asked",
    metavar="NAME",
    multiple=True,
    help="This one, or a measure such as 'F(tolerance=0.004)', in place of the data set's protocols.",
)
split = click.option("--split", help="Default: the data set's first split.")
sequences = click.option("--sequences", metavar="A,B", callback=names, help="Only these videos.")
root_options = (
    click.option("--data", type=path, help="The data set's root; else its environment variable."),
    click.option("--year", type=int, help="The data set's year, where it has several."),
    click.option("-d", "extra", metavar="KEY=VALUE", multiple=True, callback=pairs, help="Data set option."),
)


def root_of(command: Command) -> Command:
    """Options of a command that has an argument `name`, a data set; it gets a DatasetSpec as `data`."""

    @functools.wraps(command)
    def wrapped(name: str, data: Path | None, year: int | None, extra: dict[str, str], **rest: Any) -> Any:
        from vipbench.specs import DatasetSpec

        options = extra if year is None else {"year": str(year), **extra}
        return command(data=DatasetSpec.of(name, data, options), **rest)

    return _with(wrapped, *root_options)


def dataset(command: Command) -> Command:
    """Options that name a data set; the command gets a DatasetSpec as `data`."""
    named = click.option("--dataset", "name", required=True, help="See `vipbench datasets`.")
    return named(root_of(command))


def selection(command: Command) -> Command:
    """Options that name a data set, a split and videos of it: `data`, `split` and `sequences`."""

    @functools.wraps(command)
    def wrapped(data: Any, split: str | None, **rest: Any) -> Any:
        from vipbench.specs import split_of

        return command(data=data, split=split_of(data.open(), split), **rest)

    return _with(dataset(wrapped), split, sequences)


def method(command: Command) -> Command:
    """Options that name a method; the command gets a MethodSpec as `method`."""

    @functools.wraps(command)
    def wrapped(method: str, options: dict[str, str], **rest: Any) -> Any:
        from vipbench.specs import MethodSpec

        return command(method=MethodSpec(method, options), **rest)

    return _with(
        wrapped,
        click.option("--method", required=True, help="See `vipbench methods`."),
        click.option("-o", "options", metavar="KEY=VALUE", multiple=True, callback=pairs, help="Its option."),
    )
