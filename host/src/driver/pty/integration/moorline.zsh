# Marks zsh's prompts and commands for Moorline (OSC 7 and OSC 133).
#
# This is .zshenv in a folder that ZDOTDIR names. It gives ZDOTDIR back at once, so that zsh itself
# goes on with the user's files, each at its time. Nothing of the user's changes: the prompts stay
# as they are, `$?` is passed on and no variable reaches another program. Every function is defined
# before the user's files are read, so that no alias of theirs gets into one, and works with every
# option set. Names of variables begin with __moorline_, since the user may have made any other
# read-only.

if [[ -n "${MOORLINE_ZDOTDIR+set}" ]]; then
    builtin export ZDOTDIR="$MOORLINE_ZDOTDIR"
    builtin unset MOORLINE_ZDOTDIR
else
    builtin unset ZDOTDIR
fi

# Percent-encodes $1 into __moorline_text, byte by byte.
__moorline_encode() {
    builtin emulate -L zsh -o extended_glob -o no_multibyte
    __moorline_text=${1//(#m)[[:cntrl:]%;?# ]/%${(l:2::0:)$(([##16]#MATCH))}}
}

# To the terminal, wherever the output goes. A restricted shell opens no file, and its output can go
# nowhere else.
__moorline_print() {
    if [[ -o restricted ]]; then
        builtin printf "$@" >&2
    else
        builtin printf "$@" >/dev/tty
    fi
}

# Before each prompt. The trace of the first lines, with the option xtrace, goes to where nobody sees
# it: for a restricted shell that is a closed file. `repeat` decides, since it is not traced.
__moorline_precmd() {
    repeat $(( (__moorline_status=$?), ${#options[restricted]} == 3 )) {
        { builtin emulate -L zsh -o no_xtrace } 2>/dev/null
    }
    repeat $(( ${#options[restricted]} == 2 )) { { builtin emulate -L zsh -o no_xtrace } 2>&- }
    builtin local __moorline_code="$__moorline_status" __moorline_text=
    __moorline_keep
    if (( ! $+__moorline_marks )); then
        __moorline_first
    fi
    __moorline_encode "$PWD"
    __moorline_print '\e]7;file://%s%s\a' "$__moorline_host" "$__moorline_text"
    if (( __moorline_marks )); then
        if (( __moorline_started )); then
            __moorline_print '\e]133;D;%d;aid=%d\a' "$__moorline_code" $$
            __moorline_started=0
        fi
        __moorline_print '\e]133;A;aid=%d\a' $$
    fi
}

# After a command is read and before it runs. $1 is as it was typed, which is empty without a
# history; $2 is what will run.
__moorline_preexec() {
    repeat $(( (__moorline_hides=${#options[histignorespace]} == 2), ${#options[restricted]} == 3 )) {
        { builtin emulate -L zsh -o no_xtrace } 2>/dev/null
    }
    repeat $(( ${#options[restricted]} == 2 )) { { builtin emulate -L zsh -o no_xtrace } 2>&- }
    builtin local __moorline_text=
    __moorline_keep
    if (( ${__moorline_marks-0} )); then
        builtin local __moorline_line="${1:-$2}"
        # What is kept out of the history is none of Moorline's business either.
        if (( __moorline_hides )) && [[ $__moorline_line == ' '* ]]; then
            __moorline_line=
        fi
        __moorline_encode "${__moorline_line[1,256]}"
        __moorline_print '\e]133;C;aid=%d;cmdline_url=%s\a' $$ "$__moorline_text"
        __moorline_started=1
    fi
}

# Each hook sees to it that the other one is there, whatever becomes of the lists. The first one
# has to come first, for the exit code.
__moorline_keep() {
    if [[ ${precmd_functions[(Ie)__moorline_precmd]:-0} == 0 && ${(t)precmd_functions} != *readonly* ]]
    then
        builtin typeset -ga precmd_functions
        precmd_functions=(__moorline_precmd $precmd_functions)
    fi
    if [[ ${preexec_functions[(Ie)__moorline_preexec]:-0} == 0
        && ${(t)preexec_functions} != *readonly* ]]
    then
        builtin typeset -ga preexec_functions
        preexec_functions=(__moorline_preexec $preexec_functions)
    fi
}

# At the first prompt, when the user's files have been read: whoever has an integration of their
# own that marks commands keeps it.
__moorline_first() {
    builtin typeset -gi __moorline_marks=1 __moorline_started=0
    builtin local __moorline_hook __moorline_own=${functions[precmd]}${functions[preexec]}$PS1$RPS1
    for __moorline_hook in $precmd_functions $preexec_functions; do
        if [[ $__moorline_hook != __moorline_* ]]; then
            __moorline_own+=${functions[$__moorline_hook]}
        fi
    done
    if [[ $__moorline_own == *[16]33\;C* ]]; then
        __moorline_marks=0
    fi
    builtin unfunction __moorline_first
}

# Runs at the first prompt unless the user has a function of this name, and looks for the lists
# that the user's files may have set anew.
precmd() {
    repeat $(( ${#options[restricted]} == 3 )) { { __moorline_anchor } 2>/dev/null }
    repeat $(( ${#options[restricted]} == 2 )) { { __moorline_anchor } 2>&- }
}
__moorline_anchor() {
    builtin emulate -L zsh -o extended_glob -o no_xtrace
    # Unless the user has added to it.
    if [[ ${functions[precmd]} == \
        [[:space:]]#repeat*__moorline_anchor*__moorline_anchor*'2>&-'[[:space:]]#done ]]
    then
        builtin unfunction precmd
    fi
    __moorline_keep
}

builtin typeset -gi __moorline_status=0 __moorline_hides=0
# The user may set HOST.
__moorline_host=$HOST
__moorline_keep

# An empty ZDOTDIR is the root folder to zsh.
if [[ -r "${ZDOTDIR-$HOME}/.zshenv" && ! -d "${ZDOTDIR-$HOME}/.zshenv" ]]; then
    builtin source "${ZDOTDIR-$HOME}/.zshenv"
fi
