#!/usr/bin/env bash
# Install layers of the lock into the environment of ${PYTHON:-python3}: install.sh build prod cq dev package
# `package` is this repository itself, in editable mode; it needs `build` before it. The layers are installed one after
# the other: what exists as source only is built with the locked setuptools, which `build` and `prod` bring.
# Outside a virtual environment it refuses, unless IMAGE_CLASSIFIER_ALLOW_SYSTEM=1 says that the system is meant
# (a container image).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)
python=${PYTHON:-python3}

fail() {
    printf 'error: %s\n hint: %s\n' "$1" "$2" >&2
    exit 2
}

command -v "$python" >/dev/null || fail "there is no $python" 'name an interpreter: PYTHON=/path/to/python3'
if [[ ${IMAGE_CLASSIFIER_ALLOW_SYSTEM:-} != 1 ]] &&
    ! "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)'; then
    fail "$python is not in a virtual environment, and installing would change the whole system" \
        'make demo makes one in .venv; or activate yours; IMAGE_CLASSIFIER_ALLOW_SYSTEM=1 installs all the same'
fi

install() {
    local chatter=(--quiet)
    [[ -t 1 ]] && chatter=() # minutes of silence look like a hang to a person, a log needs none of it
    "$python" -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation --use-pep517 \
        "${chatter[@]}" "$@"
}

locks=() package=no
for layer in "$@"; do
    if [[ $layer == package ]]; then
        package=yes
    else
        locks+=("$here/requirements-$layer.txt")
    fi
done

printf 'installing %s into %s\n' "$*" "$("$python" -c 'import sys; print(sys.prefix)')"
for lock in "${locks[@]}"; do install --require-hashes --requirement "$lock"; done
if [[ $package == yes ]]; then
    install --editable "$here/.."
    "$python" -m pip check --disable-pip-version-check >/dev/null || {
        "$python" -m pip check --disable-pip-version-check >&2 || true
        fail 'the installed packages do not fit together (above)' 'use an environment of its own, as make demo does'
    }
fi
