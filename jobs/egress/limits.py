"""How much an agent may use of the way out."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """Of one run at once, and of one turn of its agent. Sizes in bytes.

    After ``paced_after`` refusals in a turn each further answer waits ``pace_seconds``: who asks for all names there
    are gets slow answers. ``bytes_out`` is small, for what goes out is where an agent could carry something away.
    """

    connections: int = 128
    request_seconds: float = 15.0
    paced_after: int = 1000
    pace_seconds: float = 0.05
    hello_seconds: float = 10.0
    idle_seconds: float = 60.0
    tunnel_seconds: float = 900.0
    bytes_out: int = 16 * MIB
    bytes_in: int = 2048 * MIB
