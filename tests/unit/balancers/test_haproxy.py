"""What HAProxy is started as."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.balancers.haproxy import DEFAULT_IMAGE, HAProxy, listening_host, sidecar_spec
from chaoscheck.balancers.haproxy_config import Setup
from chaoscheck.engines.base import Instance
from chaoscheck.errors import EnvironmentTrouble
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan, Plan

SETUP = Setup(host="127.0.0.1", entry=1, admin=2, sticky=False, servers=())
STEP = {"get": "/"}
PAGE = {"kind": "kept", "do": STEP, "see": STEP}
PLAN = LoadedPlan(
    plan=Plan.model_validate({"target": {"image": "x"}, "promises": {"page": PAGE}}),
    path=Path("plan.yaml"), text="", lines={},
)  # fmt: skip


def instance_at(host: str) -> Instance:
    address = Address(host, 8000)
    return Instance(incarnation=Incarnation(slot=0, life=0), address=address, inner=address, handle="")


@pytest.mark.parametrize(("inner", "host"), [("127.0.0.1", "127.0.0.1"), ("172.18.0.2", "0.0.0.0")])
def test_listens_on_loopback_only_beside_processes(inner, host):
    """The runtime API is never on an address of this machine that others can reach."""
    assert listening_host([instance_at(inner)]) == host


def test_image_of_the_user_is_never_replaced_by_a_built_one():
    """The bundled folder stands in for the default image only, and is there."""
    default, own = sidecar_spec(None, SETUP), sidecar_spec("mine:1", SETUP)
    assert (default.image, own.image, own.build) == (DEFAULT_IMAGE, "mine:1", None)
    assert default.build is not None and (default.build / "Dockerfile").is_file()


def test_both_places_where_images_look_have_the_same_configuration():
    assert len(set(sidecar_spec(None, SETUP).files.values())) == 1


def test_fleet_without_sidecars_is_said_so():
    """An engine that can't run it is named as what stands in the way, not found out by a crash."""
    with pytest.raises(EnvironmentTrouble, match="can't run HAProxy"):
        HAProxy().open(object(), PLAN, [instance_at("127.0.0.1")], MonotonicClock())  # type: ignore[arg-type]
