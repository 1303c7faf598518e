"""What the image is said to hold is what the lock has, and what a Dockerfile must not do."""

import re

from deploy.image import contents


def test_the_bill_of_materials_names_every_distribution_of_the_lock_with_its_hashes() -> None:
    bill = contents.bill()
    told = {one["name"]: one for one in bill["components"]}
    locked = dict(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;\\]+)", contents.LOCK.read_text(), re.M))
    windows = {"colorama", "tzdata"}
    assert {name.lower().replace("_", "-").replace(".", "-") for name in locked} - windows <= told.keys()
    for name in ("grpcio", "temporalio", "nats-py", "motor"):
        assert told[name]["version"] == locked[name]
        assert told[name]["purl"] == f"pkg:pypi/{name}@{locked[name]}"
        assert all(re.fullmatch("[0-9a-f]{64}", one["content"]) for one in told[name]["hashes"])
        assert told[name]["hashes"]
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references)
    assert bill["dependencies"] == [{"ref": "livinglab", "dependsOn": references}]
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill == contents.bill()


def test_nothing_of_the_day_enters_the_image() -> None:
    dockerfile = (contents.ROOT / "Dockerfile").read_text()
    # What writes the day, or the time of a source, or in the order of a seed that is drawn.
    assert "RUN groupadd" not in dockerfile
    assert "&& useradd" not in dockerfile
    assert "PYTHONHASHSEED=0" in dockerfile
    assert (
        len(re.findall(r"-m compileall", dockerfile))
        == len(re.findall("--invalidation-mode unchecked-hash", dockerfile))
        == 2
    )
    final = dockerfile.split("FROM ")[-1]
    assert "USER 10001:10001" in final
    assert "pip install" not in final
