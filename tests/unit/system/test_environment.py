from __future__ import annotations

import json
import platform
import socket

import numpy as np

from carez_desktop.system.environment import describe_environment


def test_the_environment_is_plain_and_names_no_host_or_person():
    environment = describe_environment()
    text = json.dumps(environment)
    assert environment["python"] == platform.python_version()
    assert environment["libraries"]["numpy"] == np.__version__
    assert len(environment["cpu_flags_sha256"]) in (0, 64)
    assert environment == describe_environment()
    host = socket.gethostname()
    assert len(host) < 4 or host not in text
