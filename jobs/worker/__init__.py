"""The worker process. Beside the sweeper this package alone, inside jobs, knows bot: it puts the parts together."""

from jobs.worker.github_access import GitHubAccess, pipeline_error
from jobs.worker.listener import JobListener
from jobs.worker.parts import agents_of, box_settings
from jobs.worker.process import run_worker

__all__ = ["GitHubAccess", "JobListener", "agents_of", "box_settings", "pipeline_error", "run_worker"]
