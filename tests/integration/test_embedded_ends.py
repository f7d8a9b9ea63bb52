"""When a server of our own counts as gone: not before the last of its threads lets go of its port."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from shared.embedded import guard

EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}
"""The number of the system call that ends one thread, by machine."""
FIRST_THREAD_ENDS = """
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("ready", flush=True)
ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in EXIT_OF_A_THREAD,
    reason="how one thread is ended is known for Linux on two kinds of machine",
)
def test_a_process_whose_first_thread_ended_before_the_others_is_not_gone() -> None:
    number = EXIT_OF_A_THREAD[platform.machine()]
    process = subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS, str(number)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert not guard.gone_within(process.pid, 0.5)
    finally:
        process.kill()
    assert guard.gone_within(process.pid, guard.KILL_WAIT_S)
    process.wait()
