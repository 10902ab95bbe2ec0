"""What an agent's programs reach besides their model: nothing, or the hosts that the operator allows; and what they
tried is counted and told."""

from jobs.egress.guard import EgressGuard, RunEgress
from jobs.egress.limits import EgressLimits

__all__ = ["EgressGuard", "EgressLimits", "RunEgress"]
