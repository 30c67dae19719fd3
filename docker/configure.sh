#!/usr/bin/env bash
# What build.sh builds, from what, with what. Each may be set in the environment instead.

# The image's name; a tag may follow a colon.
export IMAGE_NAME="${IMAGE_NAME:-image-classifier}"

# A Debian with Python 3.11 or later and its venv module.
export BASE_IMAGE="${BASE_IMAGE:-python:3.11-slim-bookworm}"

# The interpreter that builds the wheel. If its packages are not those of requirements-build.txt, it makes itself
# an environment that has them.
if [ -z "${PYTHON:-}" ]; then
    PYTHON="$(dirname -- "${BASH_SOURCE[0]:-$0}")/../.venv/bin/python"
    [ -x "$PYTHON" ] || PYTHON=python3
fi
export PYTHON
