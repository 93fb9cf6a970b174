# Marks zsh's prompts and commands for Moorline (OSC 7 and OSC 133).
#
# This is .zshenv in a folder that ZDOTDIR names. It gives ZDOTDIR back at once, so that zsh itself
# goes on with the user's files, each at its time. Nothing of the user's changes: the prompts stay
# as they are, `$?` is passed on and no variable reaches another program. Every function is defined
# before the user's files are read, so that no alias of theirs gets into one.

if [[ -n "${MOORLINE_ZDOTDIR+set}" ]]; then
    builtin export ZDOTDIR="$MOORLINE_ZDOTDIR"
    builtin unset MOORLINE_ZDOTDIR
else
    builtin unset ZDOTDIR
fi

# Percent-encodes $1 into REPLY, byte by byte.
__moorline_encode() {
    builtin emulate -L zsh -o extended_glob -o no_multibyte
    REPLY=${1//(#m)[[:cntrl:]%;?# ]/%${(l:2::0:)$(([##16]#MATCH))}}
}

# Before each prompt.
__moorline_precmd() {
    { builtin local code=$? REPLY; builtin emulate -L zsh -o no_xtrace } 2>/dev/null
    if (( ! $+__moorline_marks )); then
        __moorline_first
    fi
    {
        __moorline_encode "$PWD"
        builtin printf '\e]7;file://%s%s\a' "$HOST" "$REPLY"
        if (( __moorline_marks )); then
            if (( __moorline_started )); then
                builtin printf '\e]133;D;%d\a' $code
                __moorline_started=0
            fi
            builtin printf '\e]133;A\a'
        fi
    } >$TTY
}

# After a command is read and before it runs. $1 is as it was typed, which is empty without a
# history; $2 is what will run.
__moorline_preexec() {
    { builtin local REPLY line=${1:-$2} hides=$options[histignorespace]
        builtin emulate -L zsh -o no_xtrace } 2>/dev/null
    if (( __moorline_marks )); then
        # What is kept out of the history is none of Moorline's business either.
        if [[ $hides == on && $line == ' '* ]]; then
            line=
        fi
        __moorline_encode "${line[1,256]}"
        builtin printf '\e]133;C;cmdline_url=%s\a' "$REPLY" >$TTY
        __moorline_started=1
    fi
}

# At the first prompt, when the user's files have been read: whoever has an integration of their
# own keeps it.
__moorline_first() {
    builtin typeset -gi __moorline_marks=1 __moorline_started=0
    builtin local hook own=${functions[precmd]}${functions[preexec]}$PS1$RPS1
    for hook in $precmd_functions $preexec_functions; do
        if [[ $hook != __moorline_* ]]; then
            own+=${functions[$hook]}
        fi
    done
    if [[ $own == *[16]33\;* ]]; then
        __moorline_marks=0
    fi
    builtin unfunction __moorline_first
}

builtin typeset -ga precmd_functions preexec_functions
precmd_functions+=(__moorline_precmd)
preexec_functions+=(__moorline_preexec)

# An empty ZDOTDIR is the root folder to zsh.
if [[ -r "${ZDOTDIR-$HOME}/.zshenv" && ! -d "${ZDOTDIR-$HOME}/.zshenv" ]]; then
    builtin source "${ZDOTDIR-$HOME}/.zshenv"
fi
