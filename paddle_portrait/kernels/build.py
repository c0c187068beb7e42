"""Compiling the kernels on the user's machine: once, behind a lock, into a cache that notices damage.

The compiler may use all that this processor has (``-march=native``), so the cache is keyed by processor, compiler, its
flags, Paddle and sources. What is built never leaves the machine. A build that failed is remembered for an hour by its
log, so that neither the other processes of a run nor its next starts compile in vain, one after the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from paddle_portrait.cache import cache_directory, processor
from paddle_portrait.console import logger

SOURCES = Path(__file__).parent / "csrc"
LIBRARY = "portrait_kernels"
FAILURE_LOG = "build.log"  # what the compiler said, of a failed build only
COMPILE_FLAGS = ["-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"]
LOCK_TIMEOUT_S = 900.0
RETRY_AFTER_S = 3600.0
# What setuptools reads: the compilers, and what it gives them.
COMPILERS = {"CC": "gcc", "CXX": "g++"}
FLAG_VARIABLES = ("CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LDSHARED")

# Run in a child: setuptools' output is caught there, and a second load() of one name in one process loses the ops.
_BUILD_SCRIPT = """
import json, sys
from paddle.utils.cpp_extension import load
request = json.loads(sys.argv[1])
load(request["name"], request["sources"], extra_cxx_cflags=request["flags"], extra_ldflags=["-fopenmp"],
     build_directory=request["directory"], verbose=True)
"""


class BuildError(Exception):
    """The kernels cannot be had on this machine; the message says why in one line."""


def build_key() -> str:
    """Return the digest of all that a built library depends on."""
    import paddle

    parts = [processor(), *_compilers(), paddle.__version__, platform.python_version(), " ".join(COMPILE_FLAGS)]
    parts += [f"{name}={os.environ.get(name, '')}" for name in FLAG_VARIABLES]
    digest = hashlib.sha256("\n".join(parts).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def built_library() -> Path:
    """Return the path of the compiled library, building it when the cache has no sound one.

    Safe to call from several processes at once: one builds, the others wait for it.

    Raises:
        BuildError: no compiler, no place to write, or the compiler failed, now or less than an hour ago.
    """
    from filelock import FileLock, Timeout

    directory = cache_directory() / "kernels" / build_key()
    library = directory / f"{LIBRARY}.so"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / "build.lock", timeout=LOCK_TIMEOUT_S):
            if not _is_sound(library):
                _refuse_what_failed_lately(directory / FAILURE_LOG)
                _build(library)
    except Timeout:
        raise BuildError(f"another process has been building them for {LOCK_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise BuildError(f"cannot write to {directory}: {error.strerror or error}") from None
    return library


def _refuse_what_failed_lately(log: Path) -> None:
    """Raise what :func:`_build` raised when it wrote ``log``, unless that is long ago."""
    try:
        age = time.time() - log.stat().st_mtime
    except FileNotFoundError:
        return
    if age < RETRY_AFTER_S:
        raise _failure(log)


def _failure(log: Path) -> BuildError:
    minutes = RETRY_AFTER_S / 60
    return BuildError(
        f"the compiler failed; after {minutes:.0f} minutes or with another one it is tried again: see {log}"
    )


def _is_sound(library: Path) -> bool:
    """Return whether the library is there and is what was built: loading a damaged one could end the process."""
    try:
        return _digest_file(library).read_text() == _digest(library)
    except OSError:
        return False


def _digest_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _build(library: Path) -> None:
    """Compile into a scratch directory and move the result into place, its digest last."""
    logger.info("Building the CPU kernels in %s: once for this machine, about half a minute.", library.parent)
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as scratch:
        request = {
            "name": LIBRARY,
            "sources": [str(source) for source in sorted(SOURCES.glob("*.cc"))],
            "flags": COMPILE_FLAGS,
            "directory": scratch,
        }
        environment = os.environ | {"MAX_JOBS": str(os.cpu_count() or 1), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            [sys.executable, "-c", _BUILD_SCRIPT, json.dumps(request)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        built = Path(scratch) / LIBRARY / f"{LIBRARY}.so"
        if done.returncode != 0 or not built.is_file():
            log = library.parent / FAILURE_LOG
            log.write_text(done.stdout, encoding="utf-8")
            raise _failure(log)
        _digest_file(library).unlink(missing_ok=True)
        os.replace(built, library)
    _digest_file(library).write_text(_digest(library))


def _compilers() -> list[str]:
    """Return command and version line of the compilers that setuptools will call.

    Raises:
        BuildError: there is none, or none for this platform.
    """
    if not sys.platform.startswith("linux"):
        raise BuildError(f"they are built on Linux only, not on {sys.platform}")
    commands = [os.environ.get(variable) or usual for variable, usual in COMPILERS.items()]
    return [f"{command}: {_version(command)}" for command in commands]


@lru_cache
def _version(command: str) -> str:
    words = shlex.split(command)
    if shutil.which(words[0]) is None:
        raise BuildError(f"no C++ compiler: '{words[0]}' is not on PATH")
    done = subprocess.run([*words, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"
