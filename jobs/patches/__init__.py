"""The border: an agent's work crosses it as the bytes of a patch, which is parsed and judged before anything uses it.

``parse_patch`` understands exactly what ``git diff --binary --full-index --no-renames`` writes and refuses the rest;
``judge`` holds the result against the policy of a phase.
"""

from jobs.patches.model import Change, Kind, Patch
from jobs.patches.parser import parse_patch
from jobs.patches.policy import AGENT_POLICY, INIT_POLICY, PatchPolicy, judge

__all__ = ["AGENT_POLICY", "INIT_POLICY", "Change", "Kind", "Patch", "PatchPolicy", "judge", "parse_patch"]
