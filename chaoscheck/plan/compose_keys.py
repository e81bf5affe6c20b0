"""Keys that the compose specification knows: any other is a slip of the pen, and would be lost in silence."""

from __future__ import annotations

from collections.abc import Iterable

from chaoscheck.plan.compose_file import ComposeFile
from chaoscheck.registry import nearest

_SILENT = """
    annotations attach build cap_add command container_name deploy depends_on develop entrypoint env_file environment
    expose extra_hosts healthcheck hostname image init labels links logging mem_limit networks ports profiles
    pull_policy restart scale shm_size stdin_open stop_grace_period stop_signal tmpfs tty user volumes working_dir
    configs secrets network_mode
"""
_LEFT_OUT = """
    blkio_config cap_drop cgroup cgroup_parent cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime
    cpu_shares cpus cpuset credential_spec device_cgroup_rules devices dns dns_opt dns_search domainname extends
    external_links gpus group_add ipc isolation label_file mac_address mem_reservation mem_swappiness memswap_limit
    models oom_kill_disable oom_score_adj pid pids_limit platform post_start pre_start pre_stop privileged provider
    pull_refresh_after read_only runtime security_opt storage_opt sysctls ulimits use_api_socket userns_mode uts
    volumes_from
"""
_BUILD = """
    additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts
    isolation labels network no_cache no_cache_filter platforms privileged provenance pull sbom secrets shm_size ssh
    tags target ulimits
"""
_HEALTHCHECK = "disable interval retries start_interval start_period test timeout"

SILENT = frozenset(_SILENT.split())
"""Keys of a service that are taken, or that make no difference to a copy which is killed anyway."""
SERVICE = SILENT | frozenset(_LEFT_OUT.split())
BUILD = frozenset(_BUILD.split())
HEALTHCHECK = frozenset(_HEALTHCHECK.split())


def known(file: ComposeFile, found: Iterable[object], keys: frozenset[str], *where: str) -> None:
    """Raises PlanError, with the line and the nearest name, for a key that is neither in `keys` nor an extension."""
    for key in map(str, found):
        if key not in keys and not key.startswith("x-"):
            near = nearest(key, keys)
            hint = near if near.startswith("did") else f"a key of your own begins with x-: x-{key}"
            raise file.error("is no key that compose knows there", *where, key, hint=hint)
