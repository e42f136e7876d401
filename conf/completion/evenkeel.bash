# shellcheck shell=bash
# Completion of evenkeel(1) in bash. It asks the program itself: verbs and options are those of its
# --help, hosts, domains, plans and moves those of the cluster, as long as it answers at once.
#
# Names of domains are other people's texts: they are compared and quoted, never expanded.

# What the program says, with the configuration of the line that is typed; nothing after 2 s, or
# what EVENKEEL_COMPLETION_TIMEOUT says.
_evenkeel_ask()
{
    timeout "${EVENKEEL_COMPLETION_TIMEOUT:-2}" "${COMP_WORDS[0]}" "${_evenkeel_config[@]}" "$@" 2>/dev/null </dev/null
}

# The first column of a table, up to its end.
_evenkeel_names()
{
    _evenkeel_ask "$@" | awk 'NR > 1 { if ($0 == "") exit; sub(/  .*/, ""); sub(/ $/, ""); print }'
}

# The moves that run, one per line.
_evenkeel_running()
{
    _evenkeel_ask --json status | sed 's/.*"running":\[//; s/"blocked":.*//; s/"order":/\n&/g'
}

# The options that a help lists, one per line.
_evenkeel_options()
{
    sed -n 's/^ *\(-[a-z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' <<<"$1"
    grep -o -e '\[--[a-z-]*' <<<"${1%%$'\n'*}" | tr -d '['
}

# The values that a word of the help stands for, one per line.
_evenkeel_values()
{
    local kind
    for kind in ${1//|/ }; do
        case $kind in
        HOST | H) _evenkeel_names hosts ;;
        DOMAIN) _evenkeel_names domains ;;
        PLAN) _evenkeel_running | sed -n 's/.*"plan_id":"\([^"]*\)".*/\1/p' ;;
        MOVE) _evenkeel_running | sed -n 's/.*"order":{"id":"\([^"]*\)".*/\1/p' ;;
        NAME) printf '%s\n' planetlab bitbrains ;;
        FILE) compopt -o filenames 2>/dev/null; compgen -f -- "$2" ;;
        DIR) compopt -o filenames 2>/dev/null; compgen -d -- "$2" ;;
        [a-z]*) printf '%s\n' "$kind" ;;
        esac
    done
}

# What may stand in the place of the next word, by the usage line "A [B]... [--option X] | C D" and
# the words that are typed already.
_evenkeel_places()
{
    local usage=$1 alternative word place words
    shift
    while IFS= read -r alternative; do
        place=0
        read -ra words <<<"$alternative"
        for word in "${words[@]}"; do
            if [[ $word == [a-z]* && $place -lt $# && $word != "${*:place + 1:1}" ]]; then
                continue 2 # another sub-verb was typed
            fi
            if [ "$place" -eq $# ] || [[ $word == *... ]]; then
                echo "${word%...}"
            fi
            [ "$place" -lt $# ] || continue 2
            place=$((place + 1))
        done
    done <<<"${usage// | /$'\n'}"
}

# The usage line of a verb's help without its options, which may stand anywhere, and without the
# brackets of what may be left out.
_evenkeel_usage()
{
    sed -n '1{
        s/^Usage: .* \[--json\] [a-z-]*//
        s/\[-[^]]*\]\(\.\.\.\)\{0,1\}//g
        s/--[a-z-]* [A-Z]*\(\.\.\.\)\{0,1\}//g
        s/[][]//g
        p
    }' <<<"$1"
}

# The kind of value that an option takes, by the help; nothing: none.
_evenkeel_kind()
{
    local found
    found=$(grep -o -m1 -e "$1 [A-Z|]\{1,\}" <<<"$2") && echo "${found##* }" | head -n 1
}

# Reads the line that is typed: sets verb, help, _evenkeel_config, and typed, the words of the verb.
_evenkeel_read()
{
    local at word
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $word == -c || $word == --config ]]; then
            at=$((at + 1))
            [ "$at" -ge "$COMP_CWORD" ] || _evenkeel_config=(-c "${COMP_WORDS[at]}")
        elif [[ $word == -* ]]; then
            [ -z "$(_evenkeel_kind "$word" "$help")" ] || at=$((at + 1))
        elif [ -z "$verb" ]; then
            verb=$word
            [ "$verb" = help ] || help=$(_evenkeel_ask "$verb" --help)
        else
            typed+=("$word")
        fi
    done
}

# What may stand where the cursor is, one per line.
_evenkeel_candidates()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} kind
    if [[ $before == -c || $before == --config ]]; then
        _evenkeel_values FILE "$word"
    elif [ -z "$verb" ] || [ "$verb" = help ]; then
        help=$(_evenkeel_ask --help)
        sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$help"
        [ -n "$verb" ] || { echo help; _evenkeel_options "$help"; }
    elif [[ $before == -* ]] && kind=$(_evenkeel_kind "$before" "$help") && [ -n "$kind" ]; then
        _evenkeel_values "$kind" "$word"
    elif [[ $word == -* ]]; then
        _evenkeel_options "$help"
        echo --help
    else
        for kind in $(_evenkeel_places "$(_evenkeel_usage "$help")" "${typed[@]}"); do
            _evenkeel_values "$kind" "$word"
        done
    fi
}

_evenkeel()
{
    local verb="" help="" candidate typed=() _evenkeel_config=()
    COMPREPLY=()
    _evenkeel_read
    while IFS= read -r candidate; do
        if [[ -n $candidate && $candidate == "${COMP_WORDS[COMP_CWORD]}"* ]]; then
            COMPREPLY+=("$(printf '%q' "$candidate")")
        fi
    done < <(_evenkeel_candidates | sort -u)
}

complete -F _evenkeel evenkeel
