"""Options that several commands share, and the group that turns bad input into one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vipbench.errors import UserError

Command = Callable[..., Any]
EXTRA = ("torch", "safetensors")
BAD_INPUT = (
    UserError,
    click.BadParameter,
    click.BadOptionUsage,
    click.BadArgumentUsage,
    click.NoSuchOption,
)


class Commands(click.Group):
    """A group of commands that say what is wrong with their input in one line and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a UserError, a bad option or a missing extra ends it with a message."""
        try:
            return super().invoke(ctx)
        except BAD_INPUT as error:
            message = error.format_message() if isinstance(error, click.UsageError) else str(error)
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            message = f"this needs {error.name}: pip install 'vipbench[baselines]'"
        except OSError as error:
            if error.filename is None:
                raise
            message = f"{error.filename}: {error.strerror}"
        click.echo(f"error: {' '.join(message.split())}", err=True)
        ctx.exit(1)


def _pairs(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE texts as a dict."""
    for value in values:
        if "=" not in value:
            raise UserError(f"option {option.opts[0]} {value}: expected KEY=VALUE")
    return {key: text for key, _, text in (value.partition("=") for value in values)}


def names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """A comma-separated list as a tuple without blanks."""
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


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
split = click.option("--split", help="Default: the data set's first split.")
sequences = click.option("--sequences", metavar="A,B", callback=names, help="Only these videos.")
root_options = (
    click.option("--data", type=path, help="The data set's root; else its environment variable."),
    click.option("--year", type=int, help="The data set's year, where it has several."),
    click.option("-d", "extra", metavar="KEY=VALUE", multiple=True, callback=_pairs, help="Data set option."),
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
        click.option(
            "-o", "options", metavar="KEY=VALUE", multiple=True, callback=_pairs, help="Its option."
        ),
    )
