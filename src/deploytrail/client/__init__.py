"""A house from outside: `from deploytrail.client import House`. Knows its HTTP interface and nothing else."""

from deploytrail.client.answers import (
    Cell,
    Change,
    Check,
    Commit,
    Deployment,
    DeploymentRow,
    Environment,
    LastGood,
    PassedOver,
    Person,
    Placed,
    Problem,
    Report,
    Service,
    ServiceChanged,
    Step,
    TrailRow,
    WhatChanged,
    Who,
)
from deploytrail.client.house import House
from deploytrail.errors import Refused

__all__ = [
    "Cell",
    "Change",
    "Check",
    "Commit",
    "Deployment",
    "DeploymentRow",
    "Environment",
    "House",
    "LastGood",
    "PassedOver",
    "Person",
    "Placed",
    "Problem",
    "Refused",
    "Report",
    "Service",
    "ServiceChanged",
    "Step",
    "TrailRow",
    "WhatChanged",
    "Who",
]
