"""`roadwatch record`: streams kept in a folder, looked at, cut and merged."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import typer
from typer.core import TyperGroup

from roadwatch.commands.record import keeping, looking, shaping

KEEP = "keep"
"The command that is meant where none is named: `roadwatch record FOLDER`."


class KeepUnlessNamed(TyperGroup):
    """A group whose first argument may be a folder: then it is that folder that is recorded into."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named, or the one that keeps, which has no name of its own to people."""
        if args[0] in self.commands.keys() - {KEEP}:
            return super().resolve_command(ctx, args)
        return "", self.commands[KEEP], args[1:] if args[0] == KEEP else args

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let options that are not the group's own be those of the command that keeps."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [KEEP, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Say both ways."""
        formatter.write_usage(ctx.command_path, "FOLDER [OPTIONS], or COMMAND [ARGS]…")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the options of recording beside the commands."""
        keep, shown = self.commands[KEEP], copy(self)
        shown.params, shown.help = [*keep.params, *self.params], f"{self.help}\n\n{keep.help}"
        super(KeepUnlessNamed, shown).format_help(ctx, formatter)


app = typer.Typer(cls=KeepUnlessNamed, no_args_is_help=True)
COMMANDS: Mapping[str, Callable[..., None]] = {**keeping.COMMANDS, **looking.COMMANDS, **shaping.COMMANDS}
for name, command in COMMANDS.items():
    app.command(name, hidden=name == KEEP)(command)
