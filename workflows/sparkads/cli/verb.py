"""How a function becomes a command: its help with an example, and the options that commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
import typer.core
import typer.main

from sparkads.cli.ends import UsageError
from sparkads.cli.garbage import loaded

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds
    from sparkads.settings import Settings
    from statewright.store import Store

DB = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="The database. [env: SPARKADS_DB; default: sqlite:///sparkads.db]",
        show_default=False,
    ),
]
CONFIG = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings. [env: SPARKADS_CONFIG; default: sparkads.toml, if there is one]",
        show_default=False,
    ),
]
ACTOR = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        help="Who the history names. [env: SPARKADS_ACTOR; default: the login name]",
        show_default=False,
    ),
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Answer, and complain, in JSON.")]


class _AsGiven:
    """Has parameters, all of them text or flags, give what they were given.

    To turn text into text, the library would load what costs more than all the rest of a help page.
    """

    def get_params(self, ctx: Any) -> Any:
        base: Any = super()
        parameters = base.get_params(ctx)
        for parameter in parameters:
            parameter.process_value = partial(_as_given, parameter)
        return parameters


class Command(_AsGiven, typer.core.TyperCommand):
    """A command whose parameters are text or flags."""


class Group(_AsGiven, typer.core.TyperGroup):
    """Commands under one name."""


def _as_given(parameter: Any, ctx: Any, value: Any) -> Any:
    several = getattr(parameter, "multiple", False) or parameter.nargs != 1
    if value is None and several:
        value = ()
    if parameter.required and value in (None, ()):
        kind = parameter.param_type_name
        called = parameter.metavar if kind == "argument" else parameter.opts[0]
        raise UsageError(f"missing {kind} {called}", ctx)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


class Options:
    """Options that several commands share: a dataclass, each field of which is one."""


@dataclass(frozen=True, slots=True)
class Desk(Options):
    """What a command is told besides its task: which portfolio, by which settings, and how to answer."""

    db: DB = None
    config: CONFIG = None
    as_json: AS_JSON = False

    @property
    def settings(self) -> Settings:
        """The settings in force. Raises DefinitionError."""
        from sparkads.settings import load_settings

        return load_settings(self.config, database=self.db)

    @contextmanager
    def portfolio(self, *, create: bool = False) -> Iterator[SparkAds]:
        """The portfolio, to be read or changed. Raises StoreError when there is none, unless it may be made."""
        from sparkads.portfolio import SparkAds

        with _way_out_if_missing():
            spark = SparkAds(settings=self.settings, create=create)
        loaded()
        with closing(spark):
            yield spark

    @contextmanager
    def tables(self) -> Iterator[Store]:
        """The database, with tables of whatever version or none. Raises StoreError when it cannot be opened."""
        from sparkads.tables import SCHEMA
        from statewright.store import Store

        # The charts add their checks to the tables.
        import_module("sparkads.workflows")
        with _way_out_if_missing():
            store = Store(self.settings.database, schema=SCHEMA, create=False, any_version=True)
        loaded()
        with closing(store):
            yield store


@dataclass(frozen=True, slots=True)
class Signed(Desk):
    """A desk at which something is changed, by somebody."""

    actor: ACTOR = None

    @property
    def name(self) -> str:
        """Who the history names. Raises WrongInput for a name that is empty or cannot be shown."""
        from sparkads.errors import WrongInput

        name = self.settings.actor if self.actor is None else self.actor.strip()
        if name is None:
            from getpass import getuser

            try:
                return getuser()
            except (KeyError, OSError, ImportError):
                name = ""
        if not name or not name.isprintable():
            raise WrongInput("expected a name for the history; give it with --actor or SPARKADS_ACTOR")
        return name


@contextmanager
def _way_out_if_missing() -> Iterator[None]:
    from statewright.errors import StoreError

    try:
        yield
    except StoreError as error:
        if not error.missing:
            raise
        way_out = "`sparkads import FILE` and `sparkads accounts add NAME` make one"
        raise StoreError(f"{error.sentence}; {way_out}") from None


Function = TypeVar("Function", bound=Callable[..., None])


class Commands:
    """The commands of a noun, each made when it is asked for: to make all takes longer than to do one."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[typer.Typer], None]] = {}

    def add(self, name: str, make: Callable[[typer.Typer], None]) -> None:
        """Let there be a command, to be made in whatever app it is asked for."""
        self._makers[name] = make

    def group(self, asked: str | None = None) -> Any:
        """The one that is asked for, or else all, as a group."""
        app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
        for name, make in self._makers.items():
            if name == asked or asked not in self._makers:
                make(app)
        return typer.main.get_group(app)


def verb(app: Commands, *examples: str) -> Callable[[Function], Function]:
    """Make a function a command of this noun; its docstring is the help.

    Its name is the verb, with hyphens, and without the last underscore of what would hide a builtin.
    examples: command lines that teach its use
    A parameter whose type is a class of `Options` becomes all the options of that class.
    """

    def register(function: Function) -> Function:
        name = function.__name__.rstrip("_").replace("_", "-")
        app.add(name, partial(_make, name, function, examples))
        return function

    return register


def _make(name: str, function: Callable[..., None], examples: tuple[str, ...], app: typer.Typer) -> None:
    parameters, groups = _expanded(function)

    def command(ctx: typer.Context, **given: Any) -> None:
        for wide, value in (ctx.obj or {}).items():
            if wide in given and given[wide] in (None, False):
                given[wide] = value
        for parameter, (group, names) in groups.items():
            given[parameter] = group(**{each: given.pop(each) for each in names})
        function(**given)

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    command.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    command.__annotations__ = {}
    purpose = inspect.getdoc(function) or ""
    app.command(
        name,
        cls=Command,
        help=f"{purpose}\n\n\b\n{'Examples' if examples[1:] else 'Example'}:\n  " + "\n  ".join(examples),
        short_help=purpose.partition("\n")[0],
    )(command)


def _expanded(
    function: Callable[..., None],
) -> tuple[list[inspect.Parameter], dict[str, tuple[type, list[str]]]]:
    """The parameters as the library shall see them, and which of them make up a group."""
    own: list[inspect.Parameter] = []
    shared: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        if not (isinstance(hint, type) and issubclass(hint, Options)):
            own.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        kinds = get_type_hints(hint, include_extras=True)
        options = fields(hint)  # type: ignore[arg-type]
        groups[name] = (hint, [option.name for option in options])
        expanded = [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=kinds[option.name],
                default=option.default,
            )
            for option in options
        ]
        shared = [*expanded, *shared] if not issubclass(hint, Desk) else [*shared, *expanded]
    return [*own, *shared], groups
