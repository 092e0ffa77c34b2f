#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [time for each, default 20s] [packages, default ./...]
set -euo pipefail
cd "$(dirname "$0")/.."
each="${1:-20s}"
packages=("${@:2}")

# targets prints "package target" for each.
targets() {
	local package dir
	go list -f '{{.ImportPath}} {{.Dir}}' "${packages[@]:-./...}" | while read -r package dir; do
		{ grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null || true; } | sed "s|^func |$package |"
	done
}

while read -r package target; do
	echo "fuzz: $package $target"
	go test -run='^$' -fuzz="^$target\$" -fuzztime="$each" "$package"
done < <(targets)
