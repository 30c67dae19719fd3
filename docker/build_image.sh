#!/usr/bin/env bash
# The work of build.sh: context, docker build, bill of materials, and on every exit the clean-up.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)
# shellcheck source=/dev/null
. "$here/configure.sh"
SBOM=/opt/image_classifier/sbom.cdx.json # in the image
# Where the system says what it is, and where it puts its docker, which need not be on the PATH.
OS_RELEASE=${OS_RELEASE:-/etc/os-release}
USUAL_DOCKER=${USUAL_DOCKER:-/usr/bin/docker}

folder='' container='' child='' docker=()

fail() {
    printf 'error: %s\n hint: %s\n' "$1" "$2" >&2
    exit 2
}

# shellcheck disable=SC2329 # the trap calls it
finish() {
    local status=$?
    trap '' INT TERM HUP # a second Ctrl-C does not stop the cleaning
    if [[ -n $child ]]; then
        kill -TERM -- "$child" 2>/dev/null || true
        wait -- "${child#-}" || true
    fi
    [[ -z $container ]] || "${docker[@]}" rm --force "$container" >/dev/null || true
    [[ -z $folder ]] || bash "$here/cleanup_build_context.sh" "$folder"
    rm -f -- "$here/sbom.cdx.json.$$.tmp"
    exit "$status"
}

# A trap waits for the command in the foreground, so what takes long runs in the background.
interruptibly() {
    local status=0
    "$@" &
    child=$!
    wait "$child" || status=$?
    child=''
    return "$status"
}

# Its children end with it, so that nothing writes into the folder while it is removed.
interruptibly_with_children() {
    local status=0
    set -m
    "$@" &
    set +m
    child=-$!
    wait "${child#-}" || status=$?
    child=''
    return "$status"
}

choose_docker() { # buildx where it is there, else a docker that carries BuildKit itself: both know --secret
    local candidate found=no known
    while IFS= read -r candidate; do
        [[ -x $candidate ]] || continue
        found=yes
        known=$(DOCKER_BUILDKIT=1 "$candidate" build --help 2>/dev/null) || true
        if [[ $known == *--secret* ]]; then
            docker=("$candidate")
            return
        fi
    done < <(type -aP docker || true; printf '%s\n' "$USUAL_DOCKER")
    if [[ $found == yes ]]; then
        fail 'no docker here can use BuildKit' "$(to_install buildx)"
    fi
    fail 'there is no docker' "$(to_install docker)"
}

to_install() { # the command that adds buildx to the docker of this system, or brings both
    local version kind
    # shellcheck source=/dev/null
    read -r version kind < <(. "$OS_RELEASE" && printf '%s %s %s\n' "${VERSION_ID:-none}" "${ID:-}" "${ID_LIKE:-}") || true
    case "$1 $kind  $version " in
    *' ubuntu '*) ;;
    *' debian '*' 11 ' | *' debian '*' 12 ') # their docker is old enough to have BuildKit in itself
        printf 'sudo apt install docker.io'
        return
        ;;
    *' debian '*) ;;
    buildx*)
        printf 'install its buildx plugin: https://docs.docker.com/go/buildx/'
        return
        ;;
    *)
        printf 'install Docker with its buildx plugin: https://docs.docker.com/engine/install/'
        return
        ;;
    esac
    if [[ $1 == buildx ]]; then
        printf "sudo apt install docker-buildx (of Docker's own packages: docker-buildx-plugin)"
    else
        printf 'sudo apt install docker.io docker-buildx'
    fi
}

reach_daemon() {
    local said
    said=$("${docker[@]}" version --format '{{.Server.Version}}' 2>&1 >/dev/null) && return
    said=${said##*$'\n'} # warnings come before
    case $said in
    *'permission denied'*) fail "docker: $said" 'use sudo, or: sudo usermod -aG docker YOUR_NAME, then log in again' ;;
    *) fail "docker: $said" 'start it: sudo systemctl start docker (or sudo dockerd), or set DOCKER_HOST' ;;
    esac
}

build() {
    local arguments=(--file "$here/Dockerfile" --tag "$IMAGE_NAME" --iidfile "$folder/image-id") name setting
    arguments+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
    while IFS= read -r setting; do arguments+=(--build-arg "$setting"); done <"$folder/build-args"
    for name in ca pip_conf; do
        [[ ! -f $folder/secrets/$name ]] || arguments+=(--secret "id=$name,src=$folder/secrets/$name")
    done
    for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do # docker keeps these out of the history
        [[ -z ${!name:-} ]] || arguments+=(--build-arg "$name")
    done
    interruptibly env DOCKER_BUILDKIT=1 "${docker[@]}" build "${arguments[@]}" "$folder/context" ||
        fail 'docker build failed; what it said is above' "is there a network, 15 GB of disk, and the base image $BASE_IMAGE?"
}

copy_sbom() {
    container=$("${docker[@]}" create "$1") &&
        "${docker[@]}" cp "$container:$SBOM" "$here/sbom.cdx.json.$$.tmp" >/dev/null &&
        mv -f -- "$here/sbom.cdx.json.$$.tmp" "$here/sbom.cdx.json"
}

report() {
    local size
    size=$("${docker[@]}" image inspect --format '{{.Size}}' "$1")
    printf 'image  %s\nid     %s\nsize   %s MB\nSBOM   %s\n' "$IMAGE_NAME" "$1" $((size / 1000000)) "$here/sbom.cdx.json"
}

main() {
    local id
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    choose_docker
    reach_daemon
    folder=$(mktemp -d "${TMPDIR:-/tmp}/image-classifier-build.XXXXXX")
    touch "$folder/.image-classifier-build"
    mkdir "$folder/secrets"
    interruptibly_with_children bash "$here/create_build_context.sh" "$folder" >/dev/null || exit
    "$PYTHON" "$here/build_secrets.py" "$folder/secrets" || exit
    build
    id=$(<"$folder/image-id")
    copy_sbom "$id" || fail "the bill of materials was not copied to $here (above)" 'the image is built; may you write there?'
    report "$id"
    exit # the shell has read all of this file by now: an editor may change it during a build
}

main
