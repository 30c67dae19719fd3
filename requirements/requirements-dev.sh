#!/usr/bin/env bash
# Install everything a developer needs, exactly as locked, and the package in editable mode.
# Run or source it from anywhere, in bash or zsh.
(exec bash "$(dirname -- "${BASH_SOURCE[0]:-$0}")/install.sh" build prod pipelines kubeflow spark cq dev package)
