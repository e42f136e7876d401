# shellcheck shell=bash
# Labs of the tests and the demo. To be sourced by bash scripts. They live in a folder of their own
# (EK_LAB_DIR), apart from labs that somebody raised by hand, so that all of them can be removed.

ek_lab=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")/lab/lab
export EK_LAB_DIR=${EK_LAB_DIR:-/run/evenkeel-tests}

# One run at a time on a machine raises labs in that folder, whichever checkout it is from: the clean-up
# of one would take down the labs of the other. Holds lock 8 until the shell ends.
ek_labs_lock()
{
    mkdir -p "$(dirname "$EK_LAB_DIR")"
    exec 8>"$EK_LAB_DIR.lock"
    flock -n 8 || {
        echo "waiting for another run of these tests on this machine"
        flock 8
    }
}

# Takes down every lab in EK_LAB_DIR; a lab's folder bears its name.
ek_labs_down()
{
    local folder
    for folder in "$EK_LAB_DIR"/*/; do
        [ ! -d "$folder" ] || "$ek_lab" --name "$(basename "$folder")" down
    done
}
