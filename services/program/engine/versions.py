"""Worker builds: a cohort is run to its end by the build that it was launched with."""

from temporalio.common import PinnedVersioningOverride, VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from programs.names import DEPLOYMENT


def deployment(build_id: str) -> WorkerDeploymentConfig | None:
    """How a worker of that build takes tasks: cohorts stay with it, also when they continue as new. Without a build, as
    on a laptop, any worker goes on with any cohort."""
    if not build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(DEPLOYMENT, build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def pinned(build_id: str) -> PinnedVersioningOverride | None:
    """Starts a workflow on that build and keeps it there, whatever build is current."""
    return PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, build_id)) if build_id else None
