"""Names under which cohorts and their participants are found in Temporal: made here and nowhere else. Pure."""

# What Temporal calls all builds of the worker together.
DEPLOYMENT = "program"
TASK_QUEUE = "program"

# Attributes, all of them keywords, that Temporal's lists search by.
COHORT_ATTRIBUTE = "LivingLabCohort"
PHASE_ATTRIBUTE = "LivingLabPhase"
INSTITUTION_ATTRIBUTE = "LivingLabInstitution"
STATE_ATTRIBUTE = "LivingLabState"
SEARCH_ATTRIBUTES = (COHORT_ATTRIBUTE, PHASE_ATTRIBUTE, INSTITUTION_ATTRIBUTE, STATE_ATTRIBUTE)


def workflow_id(cohort: str, institution: str | None = None) -> str:
    """program/<cohort>, or program/<cohort>/<institution> for a participant."""
    return f"program/{cohort}/{institution}" if institution else f"program/{cohort}"
