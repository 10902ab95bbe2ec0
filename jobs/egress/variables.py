"""What programs in a job container read to find their proxy, which is the forwarder to the egress guard."""

from __future__ import annotations

from collections.abc import Mapping

EGRESS_PORT = 8378
"""Where the forwarder in the container listens for the guard, on the container's own loopback."""

EGRESS_SOCKET = "egress"
"""The guard's socket, in the folder that is mounted into the container."""

_PROXY = f"http://127.0.0.1:{EGRESS_PORT}"
_BESIDES = "127.0.0.1,localhost"

PROXY_VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _PROXY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), _BESIDES),
}
"""In both spellings: curl reads ``http_proxy`` only in small letters, others only the large ones."""
