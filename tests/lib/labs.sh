# shellcheck shell=bash
# Labs of the tests and the demo. To be sourced by bash scripts. They live in a folder of their own
# (EK_LAB_DIR), apart from labs that somebody raised by hand, so that all of them can be removed.

ek_lab=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")/lab/lab
export EK_LAB_DIR=${EK_LAB_DIR:-/run/evenkeel-tests}

# Takes down every lab in EK_LAB_DIR; a lab's folder bears its name.
ek_labs_down()
{
    local folder
    for folder in "$EK_LAB_DIR"/*/; do
        [ ! -d "$folder" ] || "$ek_lab" --name "$(basename "$folder")" down
    done
}
