#!/usr/bin/env bash
# Proves that the schema is clean, that the committed generated code is the one it generates, that the committed pages about the commands are
# the ones that the commands generate, and that no reader of the last schema is broken by this one. Compares with the branch point of
# origin/main, else with the commit before.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh buf protoc-gen-go
PATH="$PWD/.tools/bin:$PATH"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

(cd proto && buf lint && buf generate -o "$work/generated")
# Each committed generated file must be generated, and each generated one committed.
if ! diff -r --exclude='*.proto' --exclude='buf*.yaml' "$work/generated" proto; then
	echo "generate-check: the generated code differs from the schema: run 'make generate' and commit the result" >&2
	exit 1
fi

mkdir "$work/docs"
go run ./services/juliu/cmd/reference "$work/docs"
for part in commands man; do
	if ! diff -r "$work/docs/$part" "docs/$part"; then
		echo "generate-check: docs/$part differs from the commands: run 'make generate' and commit the result" >&2
		exit 1
	fi
done

# baseline prints the commit to compare with, or nothing in a first commit or a clone of depth 1.
baseline() {
	local head base
	head="$(git rev-parse HEAD)"
	base="$(git merge-base HEAD origin/main 2>/dev/null || true)"
	if [[ -z $base || $base == "$head" ]]; then
		base="$(git rev-parse --quiet --verify HEAD~1 || true)"
	fi
	echo "$base"
}

base="$(baseline)"
# From an archive, not from .git: it works in a linked work tree and in a shallow clone too.
if [[ -n $base ]] && git cat-file -e "$base:proto/buf.yaml" 2>/dev/null; then
	mkdir "$work/base"
	git archive "$base" proto | tar -x -C "$work/base"
	(cd proto && buf breaking --against "$work/base/proto")
	echo "generate-check: schema clean, generated code and pages current, compatible with $(git rev-parse --short "$base")"
else
	echo "generate-check: schema clean, generated code and pages current; no earlier schema to compare with"
fi
