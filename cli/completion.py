"""`fencepost completion`: the script that completes commands and options in a shell."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_FENCEPOST_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes in your shell.

    \b
      bash  source <(fencepost completion bash)        in ~/.bashrc
      zsh   source <(fencepost completion zsh)         in ~/.zshrc
      fish  fencepost completion fish | source         in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "fencepost", _VARIABLE).source())
