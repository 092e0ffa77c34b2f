#!/usr/bin/env bash
# Builds juliu/extractor, juliu/loader and juliu/juliu with the tag JULIU_TAG (default "local"): scripts/images.sh [version commit date]
set -euo pipefail
cd "$(dirname "$0")/.."

for target in extractor loader juliu; do
	image="juliu/$target:${JULIU_TAG:-local}"
	docker build --quiet --file deploy/docker/Dockerfile --target "$target" --tag "$image" \
		--build-arg VERSION="${1:-dev}" --build-arg COMMIT="${2:-unknown}" --build-arg DATE="${3:-unknown}" . >/dev/null
	echo "images: $image $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.1f MB", $1/1e6}')"
done
