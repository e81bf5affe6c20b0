"""Instances as local processes, each in a session of its own: real processes, real SIGKILL, nothing to install.

A process shares this machine's disk with the others, where a container has its own. So each incarnation gets
a fresh folder as $TMPDIR and $CHAOSCHECK_DISK, and the plan's volumes become folders of the run: a volume's path in an
env value or a word of the command is rewritten to its folder, and $CHAOSCHECK_VOLUME_<NAME> names it. The
working directory is the plan's build folder, else the plan's own; what a service writes there by a relative path is
seen by all of its instances. In words and env values $PORT, $HOST and $CHAOSCHECK_DISK stand for the instance's own.
"""

from chaoscheck.engines.process.engine import ProcessEngine

__all__ = ["ProcessEngine"]
