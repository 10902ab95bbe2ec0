"""The two containers of a run, on a Docker engine: see ``docker_containers.py`` for their life."""

from jobs.containers.docker_containers import DockerContainers
from jobs.containers.self_test import BoxSettings
from jobs.containers.shape import ContainerLimits

__all__ = ["BoxSettings", "ContainerLimits", "DockerContainers"]
