# What up, down and test share: finding Python, installing Debian packages and the venv. Sourced, not run.
# Each function either does its work or ends the script with one sentence on stderr and exit code 1.

LAB=${STEERSMAN_LAB:-.lab}
PYTHON=
LAB_PACKAGES="containerd runc containernetworking-plugins e2fsprogs nftables iproute2 busybox-static catatonit util-linux"

die() {
    printf 'steersman: %s\n' "$*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*" >&2
}

have_root() {
    [ "$(id -u)" -eq 0 ]
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]
}

# install_packages NAME...: those Debian packages that are missing, after saying which.
install_packages() {
    local missing="" package log update_failed=""
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing, and this is no Debian or Ubuntu machine that could install them:$missing"
    have_root || die "these packages are missing, and only root can install them:$missing (or use --runtime hollow, which needs none)"
    say "Installing Debian packages:$missing"
    log=$(mktemp)
    apt-get update -q -o APT::Update::Error-Mode=any >"$log" 2>&1 </dev/null || update_failed=$(grep -m1 '^E:' "$log" || tail -n1 "$log")
    # A broken source that none of these packages comes from does no harm: what counts is whether they can be installed.
    # shellcheck disable=SC2086
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 </dev/null; then
        package=${update_failed:-$(grep -m1 '^E:' "$log" || tail -n1 "$log")}
        rm -f "$log"
        die "the Debian packages$missing could not be installed ($package): check the network and /etc/apt/sources.list"
    fi
    rm -f "$log"
}

# install_docker: the engine and its command line, which newer releases of Debian have in a package of its own.
install_docker() {
    install_packages docker.io
    command -v docker >/dev/null || install_packages docker-cli
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# find_python: sets PYTHON to a Python 3.11 or newer that can make a venv; root may install one.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            PYTHON=$(command -v "$candidate")
            "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null && return 0
        fi
    done
    if have_root && command -v apt-get >/dev/null; then
        install_packages python3 python3-venv
        PYTHON=/usr/bin/python3
        is_new_enough "$PYTHON" && "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null && return 0
    fi
    [ -n "$PYTHON" ] || die "Python 3.11 or newer is needed, and this machine has none"
    die "$PYTHON cannot make a venv: install Debian's package python3-venv"
}

# make_venv EXTRAS: .venv with this project and the extras in it. What is there already is not touched, nor is the network then.
make_venv() {
    local stamp log words made=""
    find_python
    stamp="$1 $(cat setup.cfg pyproject.toml | sha256sum | cut -c1-16) $(pwd)"
    [ -x .venv/bin/python ] && grep -qsxF "$stamp" .venv/steersman-stamps && return 0
    say "Installing Python packages in .venv"
    log=$(mktemp)
    if [ ! -x .venv/bin/python ]; then
        made=yes
        "$PYTHON" -m venv .venv >"$log" 2>&1 || { words=$(tail -n1 "$log"); rm -rf .venv "$log"; die "the venv could not be made: $words"; }
    fi
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -e ".[$1]" >"$log" 2>&1 </dev/null; then
        words=$(grep -m1 -o 'ERROR: .*' "$log" || tail -n1 "$log")
        [ -z "$made" ] || rm -rf .venv
        rm -f "$log"
        die "the Python packages could not be installed ($words): check the network, or pip's index in PIP_INDEX_URL"
    fi
    rm -f "$log"
    printf '%s\n' "$stamp" >>.venv/steersman-stamps
}
