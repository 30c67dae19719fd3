#!/usr/bin/env bash
# The image trains as any user, without a network, without rights and without writing outside its workspace.
# Words given are run in the same way instead: try_image.sh image_classifier config
set -euo pipefail

docker run --rm --network=none --user=12345:12345 --cap-drop=ALL --security-opt=no-new-privileges --shm-size=1g \
    --read-only --tmpfs=/tmp:exec --mount=type=tmpfs,destination=/workspace,tmpfs-mode=1777 \
    "${IMAGE_NAME:-image-classifier}" "$@"
