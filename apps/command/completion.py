"""Completion in a shell: a script that knows the commands, their options and the choices of these."""

import re
from collections.abc import Mapping

from apps.command.help_text import option_names
from apps.command.options import tyro_help
from apps.command.parameters import Command
from stitching.errors import did_you_mean, require

SHELLS = ("bash", "zsh")
_EVERYWHERE = ("--config", "--no-config", "--help")
_FOR_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
_SCRIPT = """\
_parastitch() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="${{COMP_WORDS[1]}}" words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "$command $before" in
{choices}
        *)
            case "$word" in
            -*)
                case "$command" in
{options}
                esac
                ;;
            esac
            ;;
        esac
    fi
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    fi
}}
complete -o default -F _parastitch parastitch
"""


def completion_script(shell: str, commands: Mapping[str, Command]) -> str:
    """What a shell evaluates so that it completes `parastitch`; where nothing is known, it completes names of files.

    Args:
        shell: one of `SHELLS`.
        commands: functions by name.

    Raises:
        InputError: it is for no other shell.
    """
    require(shell in SHELLS, f"--print-completion {shell}", f"{' or '.join(SHELLS)}{did_you_mean(shell, SHELLS)}")
    options, choices = list[str](), list[str]()
    for name, command in commands.items():
        words = set(_EVERYWHERE)
        for names in option_names(tyro_help(command, f"parastitch {name}")):
            flags = re.findall(r"--[a-z-]+", names)
            words.update(flags)
            if found := re.search(r"\{(?!None\})([\w,-]+)\}", names):  # None: what stands where nothing is given
                values = found[1].replace(",", " ")
                choices += [f'        "{name} {flag}") words="{values}" ;;' for flag in flags]
        options.append(f'                {name}) words="{" ".join(sorted(words))}" ;;')
    listed = " ".join([*commands, "--help", "--version", "--print-completion"])
    script = _SCRIPT.format(commands=listed, choices="\n".join(choices), options="\n".join(options))
    return (_FOR_ZSH if shell == "zsh" else "") + script
