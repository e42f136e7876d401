# shellcheck shell=bash disable=SC2034,SC2086 # names are put together; lists are split on purpose
# Installs what building, running and testing need. To be sourced by bash scripts:
#
#   . tests/lib/install.sh
#   ek_install build run test || exit
#
# What is there is left alone, so that root is needed only when something is missing.

# What each purpose needs on Debian 12. Commands and pkg-config modules are what other systems are
# judged by.
EK_PACKAGES_build="build-essential cmake ninja-build pkg-config ca-certificates
    libvirt-dev libuv1-dev libhiredis-dev libyaml-dev libcjson-dev uthash-dev libxml2-dev nettle-dev libmicrohttpd-dev"
EK_COMMANDS_build="cc cmake ninja pkg-config"
EK_MODULES_build="libvirt libuv hiredis yaml-0.1 libcjson libxml-2.0 nettle libmicrohttpd"

EK_PACKAGES_run="redis-server redis-tools"
EK_COMMANDS_run="redis-server redis-cli"
EK_MODULES_run=""

# The lab: hosts of namespaces with a libvirtd and emulated guests (tests/lab/README.md).
EK_PACKAGES_lab="libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-config-nwfilter
    libvirt-clients qemu-system-x86 qemu-utils lxcfs tini iproute2 iptables ebtables util-linux
    gcc libc6-dev python3 python3-libvirt python3-redis gnutls-bin faketime"
EK_COMMANDS_lab="libvirtd virsh qemu-system-x86_64 qemu-img qemu-io qemu-nbd lxcfs tini ip tc iptables
    ebtables unshare nsenter gcc python3 certtool faketime apt-get dpkg"
EK_MODULES_lab=""

EK_PACKAGES_test="libcmocka-dev clang libclang-rt-14-dev clang-format universal-ctags binutils
    python3 python3-jsonschema pyflakes3 shellcheck util-linux"
EK_COMMANDS_test="clang clang-format ctags nm python3 pyflakes3 shellcheck setsid"
EK_MODULES_test="cmocka"

# The Debian package and the service: built, judged, installed.
EK_PACKAGES_package="dpkg-dev file lintian mandoc systemd util-linux passwd"
EK_COMMANDS_package="dpkg-shlibdeps file lintian mandoc systemd-analyze unshare setpriv useradd"
EK_MODULES_package=""

# The HTTP endpoint: promtool judges metrics and alerts, Chromium shows the dashboard.
EK_PACKAGES_web="prometheus chromium fonts-dejavu-core python3 python3-websocket"
EK_COMMANDS_web="promtool chromium python3"
EK_MODULES_web=""

# What the benches compare with (docs/benchmarks.md); neither tests nor CI need it.
EK_PACKAGES_bench="ganeti-htools coinor-cbc collectd-core prometheus-libvirt-exporter curl"
EK_COMMANDS_bench="hbal cbc collectd prometheus-libvirt-exporter curl"
EK_MODULES_bench=""

ek_guard=/usr/sbin/policy-rc.d
ek_guard_saved=/usr/sbin/policy-rc.d.before-evenkeel

# The values of EK_<kind>_<purpose> for all purposes named.
ek_wanted()
{
    local kind=$1 purpose list
    shift
    for purpose in "$@"; do
        list=EK_${kind}_${purpose}
        printf '%s\n' ${!list}
    done | sort -u
}

ek_is_debian_12()
{
    # shellcheck disable=SC1091
    [ -r /etc/os-release ] && (. /etc/os-release && [ "$ID-$VERSION_ID" = debian-12 ])
}

ek_missing_packages()
{
    local package
    for package in $(ek_wanted PACKAGES "$@"); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done
}

# Commands and libraries that are absent, for systems whose packages we do not know.
ek_missing_parts()
{
    local name
    for name in $(ek_wanted COMMANDS "$@"); do
        PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null || echo "$name"
    done
    for name in $(ek_wanted MODULES "$@"); do
        pkg-config --exists "$name" 2>/dev/null || echo "$name (pkg-config)"
    done
}

# While packages are installed, their scripts must not start services: libvirtd, redis-server and
# lxcfs of the machine are none of our business. The guard ends with the process that set it, so
# that one left behind by SIGKILL forbids nothing, and the next installation removes it.
ek_guard_set()
{
    ek_guard_remove
    if [ -e "$ek_guard" ] || [ -L "$ek_guard" ]; then
        mv "$ek_guard" "$ek_guard_saved" || return
    fi
    cat >"$ek_guard" <<GUARD || return
#!/bin/sh
# evenkeel-guard: no service is started while packages are installed for the tests.
[ -d /proc/$BASHPID ] && exit 101
[ -x $ek_guard_saved ] && exec $ek_guard_saved "\$@"
exit 0
GUARD
    chmod 755 "$ek_guard"
}

ek_guard_remove()
{
    if grep -qs '^# evenkeel-guard' "$ek_guard"; then
        rm -f "$ek_guard"
    fi
    if [ -e "$ek_guard_saved" ] || [ -L "$ek_guard_saved" ]; then
        mv "$ek_guard_saved" "$ek_guard"
    fi
}

ek_apt_get()
{
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# In a subshell, so that its traps are its own. A signal waits until apt-get is through: half
# installed packages would be worse than a late answer.
ek_apt_install()
(
    trap ek_guard_remove EXIT
    trap 'exit 143' HUP INT TERM
    ek_apt_get update && ek_guard_set &&
        ek_apt_get install --yes --no-install-recommends "$@"
)

# ek_install PURPOSE...: build, run, lab, test, package, web, bench. Status 0 when all is there afterwards.
ek_install()
{
    local missing
    if ! ek_is_debian_12; then
        missing=$(ek_missing_parts "$@")
        [ -z "$missing" ] && return 0
        echo "expected Debian 12, or all of it present already; absent:" $missing >&2
        return 1
    fi
    missing=$(ek_missing_packages "$@")
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "installing packages needs root:" $missing >&2
        return 1
    fi
    echo "installing:" $missing
    ek_apt_install $missing || {
        echo "apt-get failed" >&2
        return 1
    }
}
