"""What keeps a child from outliving us even if we are ended without a chance to clean up, where a system can do that.

Windows: a job object, which the system closes when we are gone, and with it every process in it. Linux: a signal that
the child asked to get when its parent ends. The ordinary clean-up relies on neither. A child is also put where Ctrl+C
on the terminal does not reach it: who is told to stop is the demo.
"""

import sys
from collections.abc import Callable
from typing import TypedDict


class OnALeash(TypedDict, total=False):
    """How to start a child, in the words of ``subprocess.Popen``."""

    start_new_session: bool
    creationflags: int
    preexec_fn: Callable[[], object]


if sys.platform == "win32":
    import ctypes
    import subprocess
    from ctypes import wintypes
    from typing import Final

    _KILL_ON_CLOSE: Final = 0x2000
    _EXTENDED_LIMITS: Final = 9
    _SET_QUOTA_AND_TERMINATE: Final = 0x0100 | 0x0001

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
            ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("BasicLimitInformation", _BasicLimits),
            ("IoInfo", ctypes.c_ulonglong * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel32.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
    _kernel32.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
    _kernel32.OpenProcess.restype = wintypes.HANDLE
    _kernel32.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)

    def _job() -> int | None:
        """Return a job whose processes end with its last handle, which is ours and never closed by hand."""
        job: int | None = _kernel32.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_CLOSE
        if job and _kernel32.SetInformationJobObject(
            job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            return job
        return None

    _JOB: Final = _job()

    def die_with_us(pid: int) -> None:
        """End this process when ours ends, however it ends; the ordinary clean-up does not rely on it."""
        process = _kernel32.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid)  # noqa: FBT003 - the API's own order
        if process:
            if _JOB:
                _kernel32.AssignProcessToJobObject(_JOB, process)
            _kernel32.CloseHandle(process)

    def on_a_leash() -> OnALeash:
        """Return how to start a child."""
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

elif sys.platform == "linux":
    import ctypes
    import signal
    from typing import Final

    _SET_DEATH_SIGNAL: Final = 1
    _libc = ctypes.CDLL(None)

    def _die_with_parent() -> None:
        """Ask, in the child, to be killed when the parent ends; one call into the kernel, safe after a fork."""
        _libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)

    def die_with_us(pid: int) -> None:
        """Do nothing: the child has asked for it itself."""

    def on_a_leash() -> OnALeash:
        """Return how to start a child."""
        return {"start_new_session": True, "preexec_fn": _die_with_parent}

else:

    def die_with_us(pid: int) -> None:
        """Do nothing: this system has no such thing."""

    def on_a_leash() -> OnALeash:
        """Return how to start a child."""
        return {"start_new_session": True}
