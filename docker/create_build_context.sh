#!/usr/bin/env bash
# Make what the image is built from: create_build_context.sh [FOLDER]. Without FOLDER it makes one; it prints the name.
#   FOLDER/context      the wheel and requirements-{prod,pipelines,image}.txt: all that docker sees
#   FOLDER/build-args   a NAME=VALUE for each argument of the Dockerfile that depends on the commit
# The wheel's bytes are a function of the commit (of the tracked files, if they were changed since).
set -euo pipefail
umask 022

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)
root=$(dirname -- "$here")
# shellcheck source=/dev/null
. "$here/configure.sh"
EARLIEST=315532800 # 1980-01-01, the first date that a zip file can hold
SOURCES=(pyproject.toml README.md LICENSE MANIFEST.in image_classifier)

fail() {
    printf 'error: %s\n hint: %s\n' "$1" "$2" >&2
    exit 2
}

quietly() { # its output is shown if it fails
    "$@" >"$folder/log" 2>&1 || {
        cat "$folder/log" >&2
        return 1
    }
}

forget_other_repositories() { # a hook runs with GIT_DIR and GIT_INDEX_FILE set
    local name
    while IFS= read -r name; do unset "$name"; done < <(git rev-parse --local-env-vars)
}

take_commit() { # the tracked files as archived by git, whatever lies beside them
    command -v git >/dev/null || fail "there is no git to read $root" 'install git'
    forget_other_repositories
    local said tree untracked
    said=$(git -C "$root" rev-parse --verify 'HEAD^{commit}' 2>&1) ||
        fail "git cannot read the commit of $root: $said" 'commit first; or do as git says'
    commit=$said tree=$said
    epoch=$(git -C "$root" show -s --format=%ct "$commit")
    if [[ -n $(git -C "$root" status --porcelain --untracked-files=no) ]]; then
        commit+=-dirty
        said=$(git -C "$root" -c user.name=build -c user.email=build@localhost stash create 2>"$folder/log") ||
            fail "git cannot read the changed files of $root: $(<"$folder/log")" 'finish the merge or commit, then build again'
        tree=${said:-$tree}
    fi
    git -C "$root" -c core.autocrlf=false -c core.eol=lf -c tar.umask=0022 archive "$tree" -- "${SOURCES[@]}" |
        tar -x -C "$folder/source" || fail "git archive did not give all of ${SOURCES[*]} (above)" 'are they committed?'
    untracked=$(git -C "$root" ls-files --others --exclude-standard -- image_classifier)
    [[ -z $untracked ]] || printf 'warning: not in git, so not in the image: %s\n' $'\n'"$untracked" >&2
    origin=$(git -C "$root" config --get remote.origin.url || true)
}

take_files() { # a downloaded archive of the repository
    commit='' epoch=$EARLIEST origin=''
    tar -c -C "$root" --exclude __pycache__ -- "${SOURCES[@]}" | tar -x -C "$folder/source"
    chmod -R u=rwX,go=rX "$folder/source"
}

has_the_locked_builder() {
    "$1" - "$root/requirements/requirements-build.txt" 2>/dev/null <<'PY'
import re, sys
from importlib.metadata import version

pins = re.findall(r"^([\w.-]+)==([^\s;]+)", open(sys.argv[1], encoding="utf-8").read(), flags=re.MULTILINE)
sys.exit(not pins or any(version(name) != pinned for name, pinned in pins))
PY
}

choose_builder() {
    command -v "$PYTHON" >/dev/null || fail "there is no $PYTHON" 'install python3, or name one: PYTHON=/path/to/python3'
    builder=$PYTHON
    has_the_locked_builder "$builder" && return
    quietly "$PYTHON" -m venv "$folder/venv" ||
        fail "$PYTHON cannot make an environment (above)" 'apt install python3-venv, or PYTHON=/path/to/python3'
    builder=$folder/venv/bin/python
    quietly "$builder" -m pip install --no-input --require-hashes --no-deps \
        --requirement "$root/requirements/requirements-build.txt" ||
        fail 'what builds the wheel was not installed (above)' 'is there a network? or PYTHON=.venv/bin/python after make test'
}

build_wheel() { # no setting of this user or this shell may change it
    quietly env -u PYTHONPATH -u PYTHONHOME -u DIST_EXTRA_CONFIG HOME="$folder" LC_ALL=C PYTHONHASHSEED=0 \
        SOURCE_DATE_EPOCH="$epoch" "$builder" -m build --wheel --no-isolation --outdir "$folder/context" "$folder/source" ||
        fail 'the wheel was not built (above)' 'does make wheel work?'
}

public_url() { # git@host:owner/name.git and an https address with a name and a password in it, without who asks
    local url=$1
    [[ $url =~ ^[^/@:]+@([^:/]+):(.+)$ ]] && url=https://${BASH_REMATCH[1]}/${BASH_REMATCH[2]}
    [[ $url =~ ^(https|ssh)://([^/@]*@)?([^/]+)/(.+)$ ]] || return 0
    url=https://${BASH_REMATCH[3]}/${BASH_REMATCH[4]}
    printf '%s' "${url%.git}"
}

describe() {
    local wheel=("$folder"/context/*.whl)
    local version=${wheel[0]##*/image_classifier-}
    printf 'VERSION=%s\n' "${version%%-*}"
    printf 'GIT_COMMIT=%s\nSOURCE_DATE_EPOCH=%s\n' "$commit" "$epoch"
    printf 'SOURCE_URL=%s\n' "$(public_url "$origin")"
    "$builder" - "$epoch" "$folder/context/requirements-prod.txt" <<'PY'
import datetime, hashlib, sys

created = datetime.datetime.fromtimestamp(int(sys.argv[1]), datetime.timezone.utc)
print(f"CREATED={created:%Y-%m-%dT%H:%M:%SZ}")
print("LOCK_DIGEST=" + hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest())
PY
}

folder=${1:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d "${TMPDIR:-/tmp}/image-classifier-build.XXXXXX")
    trap 'status=$?; ((status == 0)) || rm -rf -- "$folder"' EXIT
fi
mkdir -p -- "$folder/context" "$folder/source"
folder=$(CDPATH='' cd -- "$folder" >/dev/null && pwd)
touch "$folder/.image-classifier-build"

choose_builder
if [[ -e $root/.git ]]; then take_commit; else take_files; fi
build_wheel
cp -- "$root"/requirements/requirements-{prod,pipelines,image}.txt "$folder/context"
describe >"$folder/build-args"
rm -rf -- "$folder/source" "$folder/venv" "$folder/log"
printf '%s\n' "$folder"
