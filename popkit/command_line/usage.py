"""What is said when a command was typed wrongly, in both languages; what was typed is quoted in
visible form.
"""

from __future__ import annotations

import click

from popkit.text import shown
from popkit.texts import Language, Sentence, Text

EXTRA = Text(
    "{words}: not expected here; {verb} takes {takes}",
    "{words}: ここには指定できません。{verb} が受け取るのは {takes} です",
)
EXTRA_UNQUOTED = Text(
    "{verb} takes options alone, and {count} more was typed (not shown here: it may be a secret); "
    "quote a value that holds a space",
    "{verb} が受け取るのはオプションだけですが、それ以外の語が {count} 個あります（秘密情報かもしれないため表示しません）。"
    "空白を含む値は引用符で囲んでください",
)
MISSING = Text("{name} is missing", "{name} が指定されていません")
NEEDS_VALUE = Text("{option} needs a value", "{option} には値が必要です")
NO_VALUE = Text("{option} takes no value", "{option} に値は指定できません")
NOT_ONE_OF = Text(
    "{option} {value}: expected one of {choices}",
    "{option} {value}: 指定できるのは {choices} のいずれかです",
)
NOT_WHOLE = Text(
    "{option} {value}: expected a whole number", "{option} {value}: 整数を指定してください"
)
NOT_A_NUMBER = Text(
    "{option} {value}: expected a number", "{option} {value}: 数値を指定してください"
)
NO_VERB = Text("say what to do: one of {verbs}", "コマンドを指定してください: {verbs}")
NO_SUCH_VERB = Text(
    "{name} is no command; they are {verbs}",
    "{name} というコマンドはありません。使えるのは {verbs} です",
)
NEAR_VERB = Text(
    "{name} is no command; did you mean {near}?",
    "{name} というコマンドはありません。{near} ではありませんか",
)
A_PLACE = Text(
    "{name} is no command but a place; did you mean: popkit diagnose {name}",
    "{name} はコマンドではなくパスです。次のように入力しますか: `popkit diagnose {name}`",
)
NO_SUCH_OPTION = Text("{option}: no such option", "{option}: このオプションはありません")
NEAR_OPTION = Text(
    "{option}: no such option; did you mean {near}?",
    "{option}: このオプションはありません。{near} ではありませんか",
)
USAGE = Text("usage: {line}", "使い方: {line}")
MORE = Text("{command} --help says more", "くわしくは {command} --help を見てください")


class Misuse(click.UsageError):
    """A command that was typed wrongly, as a sentence in both languages."""

    def __init__(self, sentence: Sentence, ctx: click.Context | None = None) -> None:
        self.sentence = sentence
        super().__init__(str(sentence), ctx)


def misuse(error: click.UsageError, language: Language) -> list[str]:
    """What to show of a wrong command: its usage, what is wrong, where to read more."""
    lines = [f"popkit: {sentence_of(error).in_language(language)}"]
    if error.ctx is not None:
        lines.insert(0, USAGE(line=error.ctx.command.get_usage(error.ctx)).in_language(language))
        lines.append(f"  {MORE(command=error.ctx.command_path).in_language(language)}")
    return lines


def sentence_of(error: click.UsageError) -> Sentence:
    """A usage error of click as a sentence in both languages; of a kind that is not known here,
    click's own words.
    """
    if isinstance(error, Misuse):
        return error.sentence
    if isinstance(error, click.NoSuchOption):
        if error.possibilities:
            return NEAR_OPTION(option=shown(error.option_name), near=", ".join(error.possibilities))
        return NO_SUCH_OPTION(option=shown(error.option_name))
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return MISSING(name=name_of(error.param))
    if isinstance(error, click.BadOptionUsage):
        return (NO_VALUE if _is_flag(error) else NEEDS_VALUE)(option=shown(error.option_name))
    return Text("{words}", "{words}")(words=error.format_message())


def name_of(param: click.Parameter) -> str:
    """What a person calls a parameter: an option by its longest name, an argument by the word in
    the usage.
    """
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.metavar or (param.name or "").upper()


def _is_flag(error: click.BadOptionUsage) -> bool:
    params = error.ctx.command.params if error.ctx is not None else []
    return any(
        isinstance(param, click.Option) and param.is_flag and error.option_name in param.opts
        for param in params
    )
