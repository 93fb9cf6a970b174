# Marks bash's prompts and commands for Moorline (OSC 7 and OSC 133), and reads the user's own
# startup files in the place of bash.
#
# Nothing of the user's changes: PS1 stays as it is, what PROMPT_COMMAND and PS0 have is kept, a
# DEBUG trap and `set -x` never see what happens here, `$?` is passed on, and no variable reaches
# another program. Every function is defined before the user's files are read, so that no alias of
# theirs gets into one; quotes keep them out of what bash reads later.

# Percent-encodes $1 into REPLY.
__moorline_encode() {
    local LC_ALL=C control code
    REPLY=$1
    REPLY=${REPLY//\%/%25}
    REPLY=${REPLY// /%20}
    REPLY=${REPLY//\#/%23}
    REPLY=${REPLY//;/%3B}
    REPLY=${REPLY//\?/%3F}
    while [[ $REPLY =~ [[:cntrl:]] ]]; do
        control=${BASH_REMATCH[0]}
        builtin printf -v code '%%%02X' "'$control"
        REPLY=${REPLY//"$control"/$code}
    done
}

# Before each prompt, in a subshell. $1 is the last command's exit code.
__moorline_prompt() {
    # HOSTNAME may be inherited from another machine.
    local REPLY host='\H'
    __moorline_encode "${PWD-}"
    builtin printf '\e]7;file://%s%s\a' "${host@P}" "$REPLY"
    if ((__moorline_marks)); then
        if ((__moorline_ended)); then
            builtin printf '\e]133;D;%s\a' "$1"
        fi
        builtin printf '\e]133;A\a'
    fi
}

# After a command is read and before it runs, in a subshell.
__moorline_command() {
    local REPLY line=
    # The history's last line is this command if it was added just now. If it was not, it may be
    # the same command once more, or one that the user keeps out of the history.
    if [[ -o history ]] && { ((HISTCMD != __moorline_number)) || __moorline_keeps_all; }; then
        line=$(HISTTIMEFORMAT='' "builtin" history 1)
        line=${line#*[0-9][* ] }
        line=${line:0:256}
    fi
    __moorline_encode "$line"
    builtin printf '\e]133;C;cmdline_url=%s\a' "$REPLY"
}

# Whether the history has every line, but for repetitions.
__moorline_keeps_all() {
    [[ -z ${HISTIGNORE-} && ${HISTCONTROL-} != *ignorespace* && ${HISTCONTROL-} != *ignoreboth* ]]
}

__moorline_install() {
    builtin unset -f __moorline_install
    # PS0 came with 4.4.
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)) || ! builtin shopt -q promptvars; then
        return
    fi
    __moorline_started=0 __moorline_ended=0 __moorline_number=0 __moorline_marks=1
    # Whoever has an integration of their own keeps it.
    if [[ ${PS0-}${PS1-}${PROMPT_COMMAND[*]-} == *[16]33\;* ]]; then
        __moorline_marks=0
    fi
    # Both hooks do their work in a subshell, which has no DEBUG trap and can change nothing. What
    # has to be kept is assigned by arithmetic on the side, which no trap sees either: in the
    # number of a redirection that redirects nothing, and in the length of a substring of PS0 that
    # is always empty. In another shell that inherits PS0, it expands to nothing at all.
    if ((__moorline_marks)); then
        PS0=${PS0-}'${__moorline_number+$({ "builtin" set +x; } 2>/dev/null; __moorline_command)'
        PS0+='${PS0:$((__moorline_started=1,0)):0}}'
    fi
    local assign='__moorline_ended=__moorline_started,__moorline_started=0,__moorline_number=HISTCMD,'
    local begin='{ "builtin" set -- "$?"; "builtin" set +x; } 2>/dev/null'
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
        # A later `PROMPT_COMMAND=...` sets the first element, which is left to the user.
        if [[ -z ${PROMPT_COMMAND+set} ]]; then
            PROMPT_COMMAND[0]=''
        fi
        PROMPT_COMMAND+=("{ ( $begin; __moorline_prompt \"\$1\" >&2 ) || :; } 2>&\$((${assign}2))")
    else
        # One text only, which may be exported. This comes first and hands the exit code on to the
        # rest, but where a shell ends at that.
        local end='[[ $- == *e* ]] || "builtin" exit "$1"'
        begin+='; [[ -z ${__moorline_number+set} ]] || __moorline_prompt "$1" >&2'
        PROMPT_COMMAND="( $begin; $end ) 2>&\$((\${__moorline_number+$assign}2))
${PROMPT_COMMAND-}"
    fi
}

if [[ -o posix ]]; then
    # A login shell was started with `--posix` and ENV set to this file: the one way that makes it
    # read a file of ours in the place of the user's. What else that changed is changed back.
    set +o posix
    builtin shopt -u inherit_errexit 2>/dev/null
    if [[ -n ${MOORLINE_ENV+set} ]]; then
        ENV=$MOORLINE_ENV
        builtin unset MOORLINE_ENV
    else
        builtin unset ENV
    fi
    if [[ ${HISTFILE-} == ~/.sh_history ]]; then
        HISTFILE=~/.bash_history
    fi
    # Not by a function: what their `declare` declares would be local to it.
    if [[ -r /etc/profile ]]; then
        . /etc/profile
    fi
    if [[ -f ~/.bash_profile && -r ~/.bash_profile ]]; then
        . ~/.bash_profile
    elif [[ -f ~/.bash_login && -r ~/.bash_login ]]; then
        . ~/.bash_login
    elif [[ -f ~/.profile && -r ~/.profile ]]; then
        . ~/.profile
    fi
elif [[ -f ~/.bashrc && -r ~/.bashrc ]]; then
    . ~/.bashrc
fi
__moorline_install
