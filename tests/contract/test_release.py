"""What `make release` renders: pinned, in order, the same from the same sources."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.config import Settings
from deploy import release
from stack.fleet import MEMBERS

IMAGE = "registry.example/livinglab@sha256:" + "ab" * 32
OVERLAYS = release.ROOT / "deploy/k8s/overlays"


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return release.rendered(OVERLAYS / "production", IMAGE)


def test_every_pod_of_a_release_runs_the_image_by_its_digest(objects: list[dict[str, Any]]) -> None:
    assert release.images(objects) == {IMAGE}


@pytest.mark.parametrize("image", ["", "livinglab:0.1.0", "registry.example/livinglab", IMAGE[:-1]])
def test_an_image_that_may_move_is_refused(image: str) -> None:
    with pytest.raises(release.NotPinned):
        release.rendered(OVERLAYS / "production", image)


def test_an_overlay_with_images_of_others_by_a_tag_is_refused() -> None:
    with pytest.raises(release.NotPinned, match="mongo"):
        release.rendered(OVERLAYS / "dev", IMAGE)


def test_two_renderings_are_the_same_and_their_sums_say_so(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    first, second = [release.write(objects, "1.2.3", tmp_path / name) for name in ("one", "two")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    *files, sums = first
    for line, path in zip(sums.read_text().splitlines(), files, strict=True):
        assert line == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"


def test_what_comes_before_a_roll_out_needs_nothing_that_comes_with_it(
    objects: list[dict[str, Any]], tmp_path: Path
) -> None:
    prepare, install, _ = release.write(objects, "1.2.3", tmp_path)
    before = list(yaml.safe_load_all(prepare.read_text()))
    kinds = [one["kind"] for one in before]
    assert kinds == sorted(kinds, key=["Namespace", "ServiceAccount", "ConfigMap", "Job"].index)
    there = {(one["kind"], one["metadata"]["name"]) for one in before}
    jobs = [one for one in before if one["kind"] == "Job"]
    assert len(jobs) == 5
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        [container] = pod["containers"]
        [module] = container["args"]
        assert module in MEMBERS.values()
        assert job["metadata"]["name"].startswith(f"prepare-{module.removeprefix('services.')}-")
        assert container["env"] == [{"name": "LIVINGLAB_PREPARE_ONLY", "value": "true"}]
        assert ("ServiceAccount", pod["serviceAccountName"]) in there
        # The same settings as the process itself: the one whose name follows its content.
        config, secret = container["envFrom"]
        assert ("ConfigMap", config["configMapRef"]["name"]) in there
        assert secret["secretRef"]["name"] == module.removeprefix("services.")
        assert "prepare_only" in Settings.model_fields
    assert "Job" not in {one["kind"] for one in yaml.safe_load_all(install.read_text())}
