#!/usr/bin/env bash
# Builds every overlay, and the base with no component, each one, each pair and all of them; validates every object that
# comes out against the Kubernetes schemas (unknown fields are faults); lints the Dockerfile. Prints a line each; any
# fault ends with exit code 1.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=.venv/bin
kubernetes=1.34.0
k8s=deploy/k8s
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for overlay in "$k8s"/overlays/*/; do
    name=$(basename "$overlay")
    "$bin/kubectl" kustomize "$overlay" > "$work/$name.yaml"
    echo "built      $name: $(grep -c '^kind:' "$work/$name.yaml") objects"
done

"$bin/kubectl" kustomize "$k8s/prepare" > "$work/prepare.yaml"

mkdir "$work/combination"
relative=$("$bin/python" -c 'import os, sys; print(os.path.relpath(*map(os.path.realpath, sys.argv[1:])))' \
    "$k8s" "$work/combination")
combinations=0
combine() {
    {
        echo "resources: [$relative/base]"
        echo "components: [$(printf "$relative/components/%s," "$@")]"
    } > "$work/combination/kustomization.yaml"
    "$bin/kubectl" kustomize "$work/combination" > "$work/combination.$combinations.yaml" || {
        echo "not built: the base with ${*:-nothing}" >&2
        exit 1
    }
    combinations=$((combinations + 1))
}

components=()
for component in "$k8s"/components/*/; do
    components+=("$(basename "$component")")
done
"$bin/kubectl" kustomize "$k8s/base" > "$work/base.yaml"
combine "${components[@]}"
for ((i = 0; i < ${#components[@]}; i++)); do
    combine "${components[i]}"
    for ((j = i + 1; j < ${#components[@]}; j++)); do
        combine "${components[i]}" "${components[j]}"
    done
done
echo "built      base, and $combinations combinations of ${components[*]}"

# The same object comes out of many builds: once is enough.
"$bin/python" - "$work"/*.yaml > "$work/objects" <<'END'
import pathlib
import sys

# Of others' operators, whose schemas do not come with Kubernetes.
others = ("monitoring.coreos.com/", "gateway.networking.k8s.io/", "keda.sh/")
objects = {text.strip() for path in sys.argv[1:] for text in pathlib.Path(path).read_text().split("\n---\n")}
ours = sorted(text for text in objects if not text.startswith(tuple(f"apiVersion: {other}" for other in others)))
print("\n---\n".join(ours))
END
"$bin/kubernetes-validate" --quiet --strict -k "$kubernetes" "$work/objects"
echo "valid      $(grep -c '^kind:' "$work/objects") different objects, by the schemas of Kubernetes $kubernetes"

"$bin/hadolint" Dockerfile
echo "linted     Dockerfile"
