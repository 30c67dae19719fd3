#!/usr/bin/env bash
# Build the image and write docker/sbom.cdx.json. Run or source it from anywhere, in bash or zsh; configure.sh says
# what can be chosen. Sourced, it leaves the work to another shell, so that the caller's stays as it was; run, it
# becomes that shell, so that signals reach it.
if [ "${ZSH_EVAL_CONTEXT:-}" = toplevel ] || ! (return 0 2>/dev/null); then
    exec bash "$(dirname -- "$0")/build_image.sh"
fi
(exec bash "$(dirname -- "${BASH_SOURCE[0]:-$0}")/build_image.sh")
