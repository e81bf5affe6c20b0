"""What `doctor` looks at: whether a run could work here, before there is one."""
