# For ~/.bashrc, or ~/.zshrc: `ask-before rm -rf build` runs the command once somebody approves it,
# and `ask_before_always rm` makes every interactive `rm` ask. Outside of a session of Moorline,
# commands run as they are.

ask-before() {
    if [ -z "${MOORLINE_SOCKET:-}" ]; then
        "$@"
        return
    fi
    # Each word is quoted, so that what is shown is what runs.
    local asked approved
    asked=$(printf '%q ' "$@")
    asked=${asked% }
    approved=$(moorline ask --command "$asked") || return
    if [ "$approved" = "$asked" ]; then
        "$@"
    else
        # Somebody has changed the command.
        eval "$approved"
    fi
}

ask_before_always() {
    local name
    for name in "$@"; do
        eval "$name() { ask-before command $name \"\$@\"; }"
    done
}
