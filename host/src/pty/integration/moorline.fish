# Marks fish's prompts and commands for Moorline (OSC 7 and OSC 133), after the user's files have
# been read. From version 4 on fish does so by itself.

if status is-interactive; and string match --quiet --regex '^[23]\.' -- $version
    function __moorline_folder --on-event fish_prompt
        printf '\e]7;file://%s%s\a' "$hostname" (string escape --style=url -- "$PWD")
    end

    # Whoever has an integration of their own keeps it.
    if not functions --all | string match --quiet --regex '^(__ksi|__vsc|iterm2|__wezterm)_'
        and not functions fish_prompt 2>/dev/null | string match --quiet --regex '[16]33;'
        function __moorline_prompt --on-event fish_prompt
            printf '\e]133;A\a'
        end

        function __moorline_command --on-event fish_preexec
            set --local line (string sub --length 256 -- "$argv[1]" | string collect)
            # What is kept out of the history is none of Moorline's business either.
            if set --query fish_private_mode; or string match --quiet --regex '^ ' -- "$line"
                set line
            end
            printf '\e]133;C;cmdline_url=%s\a' (string escape --style=url -- "$line")
        end

        function __moorline_end --on-event fish_postexec
            set --local code $status
            __moorline_folder
            printf '\e]133;D;%d\a' $code
        end
    end
end
