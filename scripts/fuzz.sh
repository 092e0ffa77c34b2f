#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [time each, default 20s] [packages, default ./...]
set -euo pipefail
cd "$(dirname "$0")/.."
each="${1:-20s}"
shift || true

go list -f '{{.ImportPath}} {{.Dir}}' "${@:-./...}" | while read -r package dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+\(' "$dir"/*_test.go 2>/dev/null | sed -E 's/^func (.*)\($/\1/' | while read -r target; do
		echo "fuzz: $package $target"
		go test -run='^$' -fuzz="^$target\$" -fuzztime="$each" "$package" </dev/null
	done
done
