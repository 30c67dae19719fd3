#!/usr/bin/env bash
# Install what compiles, runs and uploads the Kubeflow pipeline beside the production lock, exactly as locked. Run or source it from anywhere, in bash or zsh.
(exec bash "$(dirname -- "${BASH_SOURCE[0]:-$0}")/install.sh" kubeflow)
