"""Headers that chaoscheck itself puts on the wire."""

from __future__ import annotations

INSTANCE_HEADER = "X-Chaoscheck-Instance"  # on answers: the incarnation that gave it, set by the balancer
REQUEST_HEADER = "X-Chaoscheck-Request"  # on requests: the attempt's id
BALANCER_HEADER = "X-Chaoscheck-Balancer"  # on answers of the balancer's own: "none" when it forwarded nothing
