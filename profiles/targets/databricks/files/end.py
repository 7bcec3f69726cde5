"""Takes the endpoint away on the day of the end: it is what costs while nobody looks."""

import sys

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

(name,) = sys.argv[1:]
there = WorkspaceClient()
try:
    there.serving_endpoints.delete(name)
    print(f"{name} is taken away")
except NotFound:
    print(f"{name} is not there any more")
«% if parts.drift %»
for job in there.jobs.list(name=f"{name}-drift"):
    # Somebody else's may have the same name: ours says by its tag whose it is.
    if ((job.settings and job.settings.tags) or {}).get("project") == name:
        there.jobs.delete(job.job_id)
        print(f"{name}-drift is taken away")
«% endif %»
