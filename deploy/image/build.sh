#!/usr/bin/env bash
# Builds the image of what is committed into dist/image/livinglab.tar and prints its digest: `make image`. Two builds of one
# commit on one base are one digest. With buildah, which needs no daemon and no right of root over one, or with docker.
#   BASE=own    on a Debian made by mmdebstrap here, where no registry can be reached; else what the Dockerfile names
#   OUT=FOLDER  instead of dist/image
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${OUT:-dist/image}")
mkdir -p "$out"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
name=docker.io/library/livinglab:$version
# The time of the commit stands on every file; Debian's packages of that base have their own.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
git archive HEAD | tar -x -C "$context"

if [ "${BASE:-}" != own ] && command -v docker > /dev/null; then
    docker buildx build --quiet --provenance=false --output "type=docker,dest=$out/livinglab.tar,name=$name,rewrite-timestamp=true" \
        --metadata-file "$out/metadata.json" "$context"
    sed -n 's/.*"containerimage.digest": "\(sha256:[0-9a-f]*\)".*/\1/p' "$out/metadata.json" > "$out/digest"
    cat "$out/digest"
    exit
fi
command -v buildah > /dev/null || { echo "neither docker nor buildah: 'apt-get install buildah' brings one" >&2; exit 1; }
b() { buildah --root "$out/storage" --runroot "$out/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"; }
arguments=()
if [ "${BASE:-}" = own ]; then
    base=localhost/livinglab-base:bookworm
    if ! b images --quiet "$base" > /dev/null 2>&1; then
        # libcurl4 is for mongod, which stands on the same base in trials.
        mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv,libcurl4 bookworm "$context.rootfs"
        ln -sf /usr/bin/python3 "$context.rootfs/usr/local/bin/python"
        printf 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n' > "$context.base"
        b bud --quiet --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --tag "$base" --file "$context.base" --ignorefile /dev/null \
            "$context.rootfs" > /dev/null
        rm -rf "$context.rootfs" "$context.base"
    fi
    arguments+=(--build-arg "BASE=$base" --pull-never)
fi
# Where a machine has authorities and an index of its own, the build is told; nothing of them stays in the image.
for shared in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
    [ -f "$shared" ] && arguments+=(--volume "$shared:$shared:ro")
done
b bud --quiet --isolation chroot --layers=false --timestamp "$SOURCE_DATE_EPOCH" "${arguments[@]}" --tag "$name" "$context" > /dev/null
rm -f "$out/livinglab.tar"
b push --quiet --digestfile "$out/digest" "$name" "docker-archive:$out/livinglab.tar:$name"
cat "$out/digest"
