"""`popkit completion`: the script with which a shell completes popkit's commands, options, eras,
words and grants.
"""

from __future__ import annotations

import click

from popkit.command_line.grammar import Argument, OneOf, Verb
from popkit.command_line.help import Example
from popkit.errors import EXIT_FINE
from popkit.output import write
from popkit.texts import Text

VARIABLE = "_POPKIT_COMPLETE"
"""The environment variable by which the script asks popkit what fits."""
SHELLS = ("bash", "zsh", "fish")

SUMMARY = Text("print the completion script of a shell", "シェル補完スクリプトを表示")
SHELL = Text("bash, zsh or fish", "`bash`、`zsh`、`fish` のいずれか")
EXAMPLES = (
    Example(
        'eval "$(popkit completion bash)"',
        Text(
            "in ~/.bashrc; zsh alike in ~/.zshrc",
            "`~/.bashrc` に書きます。`zsh` も同様に `~/.zshrc` に書きます",
        ),
    ),
    Example(
        "popkit completion fish > ~/.config/fish/completions/popkit.fish",
        Text("once, for fish", "`fish` では一度だけ実行します"),
    ),
)


def run(shell: str) -> int:
    """Print a shell's completion script."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root()
    write(kind(root.command, {}, "popkit", VARIABLE).source() + "\n")
    return EXIT_FINE


VERB = Verb(
    "completion",
    run,
    [Argument("shell", SHELL, type=OneOf(SHELLS))],
    order=90,
    summary=SUMMARY,
    examples=EXAMPLES,
    prints=False,
)
