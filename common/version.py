"""The one version of this build, as every daemon and client reports it.

`VERSION` is also in setup.cfg; a test keeps them equal. `KUBERNETES` is what `/version` says and what nodes report as their
kubelet's version: kubectl warns, and charts decide, by it.
"""

VERSION = "0.1.0"
KUBERNETES = "v1.33.0+steersman.1"
