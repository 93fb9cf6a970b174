# Marks fish's prompts and commands for Moorline (OSC 7 and OSC 133), after the user's files have
# been read. From version 4 on fish does so by itself.

if builtin status is-interactive; and builtin string match --quiet --regex '^[23]\.' -- $version
    function __moorline_folder --on-event fish_prompt
        builtin printf '\e]7;file://%s%s\a' "$hostname" \
            (builtin string escape --style=url -- "$PWD")
    end

    # Whoever has an integration of their own that marks commands keeps it.
    if not builtin functions --all \
            | builtin string match --quiet --regex '^(__ksi|__vsc|iterm2|__wezterm)_'
        and not builtin functions fish_prompt fish_preexec 2>/dev/null \
            | builtin string match --quiet --regex '[16]33;C'
        function __moorline_prompt --on-event fish_prompt
            builtin printf '\e]133;A;aid=%d\a' %self
        end

        function __moorline_command --on-event fish_preexec
            set --local line (builtin string sub --length 256 -- "$argv[1]" | builtin string collect)
            # What is kept out of the history is none of Moorline's business either.
            if set --query fish_private_mode; or builtin string match --quiet --regex '^ ' -- "$line"
                set line
            end
            builtin printf '\e]133;C;aid=%d;cmdline_url=%s\a' %self \
                (builtin string escape --style=url -- "$line" | builtin string collect)
        end

        function __moorline_end --on-event fish_postexec
            set --local code $status
            __moorline_folder
            builtin printf '\e]133;D;%d;aid=%d\a' $code %self
        end
    end
end
