"""What a pod's worker does next: plain functions of values, with no I/O and no clock.

    life.py         the nouns: what is remembered of a pod between two steps, what may be done next, what came of it
    step.py         step(pod, life, observed) -> what is remembered now, and the one operation to do
    containers.py   the same question for one container: start it, wait, leave it alone
    learn.py        what an operation's outcome means for what is remembered
    status.py       `pod.status` as Kubernetes' API shows it
    specs.py        the runtime's view of a pod: sandbox and container specs, limits, cgroups
    environment.py  environment variables, from literals, fields, ConfigMaps and Secrets
    volumes.py      the pod's volumes: where they lie and which files they have
    unsupported.py  what a pod asks for that this agent cannot honour

Everything is derived from what the runtime reports whenever that is possible: what is remembered (back-offs, messages)
can be lost at any time, and a restarted agent then adopts what runs.
"""
