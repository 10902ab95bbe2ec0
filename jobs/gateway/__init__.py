"""The way from an agent to its model: a unix socket per run, a key that is good for that run only, and the few
paths that models are asked by.

The job container has no network. A forwarder in it hands the agent's requests to this socket; the gateway checks the
run's throw-away key, puts the operator's real key in its place and forwards to the model's endpoint, nothing else. It
serves only while an agent works, only the models that its turn may use, counts what they cost and stops at the budget.
"""

from jobs.gateway.accounts import Ledger, Standing
from jobs.gateway.ledger import DatabaseLedger
from jobs.gateway.server import GATEWAY_PORT, Gateway, GatewayAccess
from jobs.gateway.turns import OpenTurn, Turn

__all__ = [
    "GATEWAY_PORT",
    "DatabaseLedger",
    "Gateway",
    "GatewayAccess",
    "Ledger",
    "OpenTurn",
    "Standing",
    "Turn",
]
