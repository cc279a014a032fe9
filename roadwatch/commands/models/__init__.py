"""`roadwatch models`: a model's life, from training to retirement."""

import typer

from roadwatch.commands.models import exchange, qualify, registry, retrain, shadow, training

app = typer.Typer(no_args_is_help=True)

for module in (registry, qualify, shadow, exchange, retrain, training):
    for name, command in module.COMMANDS.items():
        app.command(name)(command)
