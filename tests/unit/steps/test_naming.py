"""Who gave an answer: a name that outlives a life stands for it only while it is known whose it is."""

from __future__ import annotations

import pytest

from chaoscheck.steps.naming import Naming


def test_our_own_header_is_taken_at_its_word() -> None:
    """Our balancers name incarnations, and no incarnation's name comes twice."""
    assert Naming().of({"x-chaoscheck-instance": "web-2.1"}, 5) == "web-2.1"
    assert Naming().of({}, 5) == ""


@pytest.fixture
def naming() -> Naming:
    made = Naming("X-Served-By")
    made.learn({"abc": "web-1.1", "172.18.0.2:80": "web-2.1"}, 100)
    return made


def test_known_names_stand_for_their_instance_from_the_beginning(naming: Naming) -> None:
    """Whatever its letters; of several, as a proxy lists those it asked, the last one answered."""
    assert naming.of({"x-served-by": "ABC"}, 1) == "web-1.1"
    assert naming.of({"x-served-by": "abc, 172.18.0.2:80"}, 1) == "web-2.1"
    assert naming.of({"x-served-by": "nobody"}, 1) == ""
    assert naming.of({"x-chaoscheck-instance": "web-1.1"}, 1) == ""


def test_between_a_death_and_the_next_life_a_name_is_nobodys(naming: Naming) -> None:
    """The container may run again before it is known: its answers must count for neither life."""
    naming.forget("web-1.1")
    assert naming.of({"x-served-by": "abc"}, 150) == ""
    assert naming.of({"x-served-by": "172.18.0.2:80"}, 150) == "web-2.1"
    naming.learn({"abc": "web-1.2", "172.18.0.2:80": "web-2.1"}, 200)
    assert naming.of({"x-served-by": "abc"}, 201) == "web-1.2"
    assert naming.of({"x-served-by": "172.18.0.2:80"}, 150) == "web-2.1"


def test_answer_to_what_was_sent_before_the_new_life_was_known_is_nobodys(naming: Naming) -> None:
    """It may be the dead one's last word."""
    naming.forget("web-1.1")
    naming.learn({"abc": "web-1.2"}, 200)
    assert naming.of({"x-served-by": "abc"}, 199) == ""
