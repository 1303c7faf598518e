#!/usr/bin/env bash
# Builds every overlay and every combination of components on the base, validates all of it against the Kubernetes
# schemas (unknown fields are faults) and lints the Dockerfile. Prints a line each; any fault ends with exit code 1.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=.venv/bin
kubernetes=1.34.0
k8s=deploy/k8s
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Manifests built into $work/<name>.yaml; the base may be anywhere relative to the combination.
build() {
    local name=$1 folder=$2
    "$bin/kubectl" kustomize "$folder" > "$work/$name.yaml"
    echo "built      $name ($(grep -c '^kind:' "$work/$name.yaml") objects)"
}

for overlay in "$k8s"/overlays/*/; do
    build "$(basename "$overlay")" "$overlay"
done

mapfile -t components < <(cd "$k8s/components" && ls -d -- */ | tr -d /)
relative=$(realpath --relative-to="$work/combination" "$k8s")
mkdir "$work/combination"
combinations=0
for ((mask = 0; mask < 1 << ${#components[@]}; mask++)); do
    {
        echo "resources: [$relative/base]"
        echo "components:"
        for i in "${!components[@]}"; do
            if ((mask >> i & 1)); then echo "  - $relative/components/${components[i]}"; fi
        done
    } > "$work/combination/kustomization.yaml"
    "$bin/kubectl" kustomize "$work/combination" > "$work/combination.$mask.yaml" || {
        cat "$work/combination/kustomization.yaml" >&2
        exit 1
    }
    combinations=$((combinations + 1))
done
echo "built      $combinations combinations of ${components[*]}"

"$bin/kubernetes-validate" --quiet --strict -k "$kubernetes" "$work"/*.yaml
echo "valid      all of it, by the schemas of Kubernetes $kubernetes"

"$bin/hadolint" Dockerfile
echo "linted     Dockerfile"
