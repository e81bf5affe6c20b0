"""What a service answers of its own settings is kept out of the history."""

from __future__ import annotations

from simulate.conftest import Simulate

from chaoscheck.model.events import ControlProbed


def test_setting_named_like_a_secret_is_masked_in_what_controls_and_users_are_answered(simulate: Simulate) -> None:
    """As a page for developers does that shows the environment: here it is `log in`, which each 401 says."""
    setting = ("target: {", 'target: {env: {API_TOKEN: "log in"}, ')
    _, folder = simulate("memory", replace=setting)
    excerpts = [row.excerpt for row in folder.rows() if getattr(row, "excerpt", "")]
    assert '401 {"error": "***"}' in excerpts
    assert not [text for text in excerpts if "log in" in text]
    probed = [str(event) for event in folder.events() if isinstance(event, ControlProbed)]
    assert any('401 {"error": "***"}' in text for text in probed)
    assert "log in" not in str(probed)
