#!/usr/bin/env bash
# Remove a folder that create_build_context.sh made: cleanup_build_context.sh FOLDER. It touches no other.
set -euo pipefail

folder=${1:-}
if [[ -z $folder ]]; then
    printf 'error: no folder was named\n hint: name what create_build_context.sh printed\n' >&2
    exit 2
fi
[[ -e $folder ]] || exit 0
if [[ ! -f $folder/.image-classifier-build ]]; then
    printf 'error: %s is not a folder of create_build_context.sh\n hint: name what it printed\n' "$folder" >&2
    exit 2
fi
rm -rf -- "$folder"
