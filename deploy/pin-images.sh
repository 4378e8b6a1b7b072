#!/usr/bin/env bash
# Writes the digests of the images of others into docker-compose.yml and the Dockerfile: mysql:8.4 becomes mysql:8.4@sha256:…. Running it
# again takes the newest of the same versions. It needs docker with buildx, and a registry that it may ask.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# digest IMAGE: of all its platforms together, as the registry has it now.
digest() {
  local found
  found=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}')
  [[ $found =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "pin-images: no digest of $1: $found" >&2; return 1; }
  echo "$found"
}

# pin FILE KEYWORD: every image that stands behind the keyword in a line of its own, if it has a version.
pin() {
  local file=$1 keyword=$2 image pinned
  while read -r image; do
    pinned=$image@$(digest "$image")
    sed -i -E "s|^([[:space:]]*$keyword[[:space:]]+)$image(@sha256:[0-9a-f]+)?([[:space:]]\|$)|\\1$pinned\\3|" "$file"
    echo "$file: $pinned"
  done < <(sed -nE "s|^[[:space:]]*$keyword[[:space:]]+([a-z0-9./-]+:[A-Za-z0-9._-]+).*|\\1|p" "$file" | sort -u)
}

pin docker-compose.yml image:
pin Dockerfile FROM
