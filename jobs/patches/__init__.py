"""The border: an agent's work crosses it as the bytes of a patch, which is parsed and judged before anything uses it.

``parse_patch`` understands exactly what ``git diff --binary --full-index --no-renames`` writes and refuses the rest;
``judge`` holds the result against a policy, which ``policy_for`` knows for each phase.
"""

from jobs.patches.model import Change, Kind, Patch
from jobs.patches.parser import parse_patch
from jobs.patches.phase_policies import init_policy, policy_for
from jobs.patches.policy import PatchPolicy, judge

__all__ = ["Change", "Kind", "Patch", "PatchPolicy", "init_policy", "judge", "parse_patch", "policy_for"]
