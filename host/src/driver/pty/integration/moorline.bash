# Marks bash's prompts and commands for Moorline (OSC 7 and OSC 133), and reads the user's own
# startup files in the place of bash.
#
# Nothing of the user's changes: PS1 stays as it is, what PROMPT_COMMAND and PS0 have is kept, a
# DEBUG trap and `set -x` never see what happens here, `$?` is passed on, and no variable reaches
# another program. Every function is defined before the user's files are read, so that no alias of
# theirs gets into one; quotes keep them out of what bash reads later. Names of variables begin
# with __moorline_, since the user may have made any other read-only.

# Percent-encodes $1 into __moorline_text. Does not change the locale: where the user's is not
# installed, bash warns of it at each change.
__moorline_encode() {
    __moorline_text=$1
    __moorline_text=${__moorline_text//\%/%25}
    __moorline_text=${__moorline_text// /%20}
    __moorline_text=${__moorline_text//\#/%23}
    __moorline_text=${__moorline_text//;/%3B}
    __moorline_text=${__moorline_text//\?/%3F}
    if [[ $__moorline_text == *[[:cntrl:]]* ]]; then
        for ((__moorline_code = 1; __moorline_code < 128; __moorline_code++)); do
            if ((__moorline_code == 32)); then
                __moorline_code=127
            fi
            builtin printf -v __moorline_hex '%02X' "$__moorline_code"
            builtin printf -v __moorline_control "\\x$__moorline_hex"
            __moorline_text=${__moorline_text//"$__moorline_control"/%$__moorline_hex}
        done
    fi
}

# Before each prompt, in a subshell. $1 is the last command's exit code.
__moorline_prompt() {
    if [[ $- == *v* ]]; then
        # Ends what hides the text of this hook, see __moorline_hide.
        builtin printf '\e\\'
    fi
    # HOSTNAME may be inherited from another machine.
    __moorline_host='\H'
    __moorline_encode "${PWD-}"
    builtin printf '\e]7;file://%s%s\a' "${__moorline_host@P}" "$__moorline_text"
    if ((__moorline_marks)); then
        # Without the option promptvars PS0 cannot tell that a command ran: any may have.
        if ((__moorline_ended == 0)) && ! builtin shopt -q promptvars; then
            __moorline_ended=1
        fi
        if ((__moorline_ended > 0)); then
            builtin printf '\e]133;D;%s;aid=%s\a' "$1" "$$"
        fi
        builtin printf '\e]133;A;aid=%s\a' "$$"
    fi
}

# The same as part of PS1, within an OSC sequence, see __moorline_install_ps0.
__moorline_prompt_in_ps1() {
    builtin printf '\a'
    __moorline_prompt "$1"
    builtin printf '\e]133;'
}

# After a command is read and before it runs, in a subshell: the inner part of a mark.
__moorline_command() {
    __moorline_line=
    # The history's last line is this command if it was added just now. If it was not, it may be
    # the same command once more, or one that the user keeps out of the history.
    if [[ -o history ]] && { ((HISTCMD != __moorline_number)) || __moorline_keeps_all; }; then
        __moorline_history
        __moorline_line=${__moorline_line:0:256}
    fi
    __moorline_encode "$__moorline_line"
    builtin printf 'C;aid=%s;cmdline_url=%s' "$$" "$__moorline_text"
}

# Whether the history has every line, but for repetitions.
__moorline_keeps_all() {
    [[ -z ${HISTIGNORE-} && ${HISTCONTROL-} != *ignorespace* && ${HISTCONTROL-} != *ignoreboth* ]]
}

# The history's last line, into __moorline_line.
__moorline_history() {
    if [[ -z ${HISTTIMEFORMAT-} ]]; then
        __moorline_line=$(builtin history 1)
        __moorline_line=${__moorline_line#*[0-9][* ] }
    elif [[ ${HISTTIMEFORMAT@a} != *r* ]]; then
        __moorline_line=$(HISTTIMEFORMAT='' builtin history 1)
        __moorline_line=${__moorline_line#*[0-9][* ] }
    else
        # It is read-only: the line comes with its time, which is a moment ago.
        __moorline_line=$(builtin history 1)
        __moorline_line=${__moorline_line#*[0-9][* ] }
        builtin printf -v __moorline_now '%(%s)T' -1
        for __moorline_code in 0 1 2; do
            builtin printf -v __moorline_text "%($HISTTIMEFORMAT)T" \
                "$((__moorline_now - __moorline_code))"
            __moorline_line=${__moorline_line#"$__moorline_text"}
        done
    fi
}

# Puts the hooks in their places. Runs with standard output and standard error closed: under
# `set -x`, and with a DEBUG or RETURN trap of the user's, it is seen by nobody. $1 is the status of
# the user's files, which bash passes on to the first prompt unless it ends the shell, with `set -e`.
__moorline_install() {
    # PS0 came with 4.4, and so did `@P`.
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
        return 0
    fi
    # -1 until the first prompt.
    __moorline_marks=1 __moorline_started=-1 __moorline_ended=0 __moorline_number=0
    # Whoever has an integration of their own that marks commands keeps it.
    if [[ ${PS0-}${PS1-}${PROMPT_COMMAND[*]-} == *[16]33\;C* ]]; then
        __moorline_marks=0
    fi
    # All hooks do their work in a subshell, which can change nothing. It begins without what the
    # user may have put in the way: in POSIX mode no function comes before `set`, `trap` and `unset`.
    # Nothing is redirected to a file, which a restricted shell forbids. What has to be kept is
    # assigned by arithmetic on the side, which no trap sees either: in the number of a redirection
    # that redirects nothing, and in the length of a substring of a number that is always empty.
    __moorline_begin='[[ ${POSIXLY_CORRECT[@]@a} == *r* ]] || POSIXLY_CORRECT=; "set" +x; '
    __moorline_begin+='"trap" - DEBUG ERR RETURN; "unset" -f builtin printf shopt history; '
    __moorline_begin+='} >&- 2>&-; '
    __moorline_assign='__moorline_exit=$?,__moorline_ended=__moorline_started,__moorline_started=0,'
    __moorline_assign+='__moorline_number=HISTCMD,'
    __moorline_install_ps0
    if ! (PROMPT_COMMAND=); then
        # It is read-only, as some administrators have it: the prompt itself is the only other place.
        __moorline_install_ps1
    elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
        # A later `PROMPT_COMMAND=...` sets the first element, which is left to the user.
        if [[ -z ${PROMPT_COMMAND+set} ]]; then
            PROMPT_COMMAND[0]=''
        fi
        __moorline_hide '{ ({ [[ "'
        __moorline_text+="$__moorline_begin"'__moorline_prompt "$__moorline_exit" >&2 ) || :; }'
        PROMPT_COMMAND+=("$__moorline_text 2>&\$((${__moorline_assign}2))")
    else
        # One text only, which may be exported. This comes first and hands the exit code on to the
        # rest, but where a shell ends at that.
        __moorline_hide '({ [[ "'
        __moorline_text+="$__moorline_begin"'[[ -z ${__moorline_number+set} ]] || '
        __moorline_text+='__moorline_prompt "$__moorline_exit" >&2; '
        __moorline_text+='[[ $- == *e* ]] || "exit" "$__moorline_exit" )'
        __moorline_assign="__moorline_exit=\$?,\${__moorline_number+$__moorline_assign}"
        PROMPT_COMMAND="$__moorline_text 2>&\$((${__moorline_assign}2))
${PROMPT_COMMAND-}"
    fi
    [[ $- == *e* ]] || return "$1"
}

# PS0 and PS1 are printed as they are without the option promptvars. So each hook is the inner part
# of an OSC sequence, which no terminal shows. In another shell that inherits the variable it
# expands to one that is empty.
__moorline_install_ps0() {
    if ((__moorline_marks)) && (PS0=); then
        PS0=${PS0-}'\e]133;${__moorline_number+$({ '$__moorline_begin'__moorline_command)'
        PS0+='${__moorline_number:$((__moorline_started=1,0)):0}}\a'
    fi
}

__moorline_install_ps1() {
    if (PS1=); then
        __moorline_text='${__moorline_number:$(('$__moorline_assign'0)):0}$({ '$__moorline_begin
        __moorline_text+='__moorline_prompt_in_ps1 "$__moorline_exit")'
        PS1='\[\e]133;${__moorline_number+'$__moorline_text'}\a\]'${PS1-}
    fi
}

# The beginning of a hook in PROMPT_COMMAND, into __moorline_text. `set -v` prints all of it, and a
# new line: what follows the first few characters, given as $1, is within an OSC sequence that
# __moorline_prompt ends, after they are taken off the screen again.
__moorline_hide() {
    __moorline_control=$'\b\b\b\b\b\b\b\b\b\b\b\b'
    __moorline_text=$1${__moorline_control:0:${#1}}$'\e['${#1}X$'\e]133;" ]]; '
}

# One command, of which `set -v` in the user's files prints nothing. A RETURN trap that one of these files
# sets runs when that file ends, because bash runs it at the end of each file that `.` reads. This cannot be
# avoided: a file may use `return` and its own name, which work as without integration only with `.`.
{
    if [[ -o posix ]]; then
        # A login shell was started with `--posix` and ENV set to this file: the one way that makes
        # it read a file of ours in the place of the user's. What else that changed is changed back.
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
    # In a list, for an ERR trap.
    { __moorline_install "$?" && :; } >&- 2>&-
}
