#!/usr/bin/env bash
# Builds juliu/extractor, juliu/loader and juliu/juliu with the tag JULIU_TAG (default "local"): scripts/images.sh [version commit date]
set -euo pipefail
cd "$(dirname "$0")/.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

for target in extractor loader juliu; do
	image="juliu/$target:${JULIU_TAG:-local}"
	if ! docker build --file deploy/docker/Dockerfile --target "$target" --tag "$image" \
		--build-arg VERSION="${1:-dev}" --build-arg COMMIT="${2:-unknown}" --build-arg DATE="${3:-unknown}" . >"$log" 2>&1; then
		cat "$log" >&2
		echo "images: $image could not be built; where no registry can be reached run scripts/local-images.sh first" >&2
		exit 1
	fi
	echo "images: $image $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.1f MB", $1/1e6}')"
done
