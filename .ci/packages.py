"""Makes `.venv` and puts the locked packages into it: `python3 .ci/packages.py run|dev`; writes the locks: `lock`.

`run` installs what the product needs (requirements-run.lock), `dev` also what its tests need (requirements.lock).
A second call that has nothing to do ends at once. uv does the work because it is quick; where it fails, pip does
the same from the same file. Every package is checked against the hash in the lock. The addresses packages come from
are the machine's own pip configuration; none is written here.

Called through `.ci/packages`, which picks the interpreter. Standard library only.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
UV = BIN / "uv"
STAMP = VENV / ".installed"
UV_LOCK = ROOT / ".ci" / "requirements-uv.lock"
LOCKS = {"run": ROOT / "requirements-run.lock", "dev": ROOT / "requirements.lock"}

LAUNCHER = """#!/bin/sh
exec "$(dirname "$0")/python" -P -m payloom "$@"
"""


def say(line: str) -> None:
    print(line, flush=True)


def stop(line: str) -> None:
    sys.exit("payloom: " + line)


def mark(kind: str) -> str:
    """What must be unchanged for an installation to be still good: place, interpreter, lock, and this file."""
    sums = [str(zlib.crc32(path.read_bytes())) for path in (LOCKS[kind], UV_LOCK, Path(__file__))]
    return "\n".join([kind, str(ROOT), sys.version.split()[0], *sums])


def stamp() -> list[str]:
    return STAMP.read_text(encoding="utf-8").splitlines() if STAMP.exists() else []


def is_ready(kind: str) -> bool:
    return PYTHON.exists() and "\n".join(stamp()) in (mark(kind), mark("dev"))


def is_sound() -> bool:
    """Whether the `.venv` that is there can be built upon: right place, right interpreter, with pip."""
    if not PYTHON.exists() or (stamp() and stamp()[1:3] != mark("run").splitlines()[1:3]):
        return False
    asked = "import sys, pip; sys.exit(sys.version.split()[0] != '" + sys.version.split()[0] + "')"
    return subprocess.call([str(PYTHON), "-c", asked], stderr=subprocess.DEVNULL) == 0


def make_venv() -> None:
    if is_sound():
        return
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        stop("Python's venv is missing. On Debian and Ubuntu: apt-get install python3-venv")
    say("making .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    if not run(sys.executable, "-m", "venv", str(VENV)):
        stop("Python could not make .venv; the lines above say why")


def pip_settings() -> dict[str, str]:
    """The machine's pip configuration, weakest file first, so that the environment wins."""
    listed = subprocess.run([str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        group, _, key = name.rpartition(".")
        try:
            found.setdefault(group.strip(".:"), {})[key] = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            continue
    return {**found.get("global", {}), **found.get("install", {}), **found.get("env", {})}


def uv_environment() -> dict[str, str]:
    """The same settings in uv's words: uv does not read pip's configuration by itself."""
    environment = dict(os.environ)
    pip = pip_settings()
    for pip_name, uv_name in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("find-links", "UV_FIND_LINKS"),
        ("no-index", "UV_NO_INDEX"),
        ("trusted-host", "UV_INSECURE_HOST"),
        ("cert", "SSL_CERT_FILE"),
        ("proxy", "ALL_PROXY"),
        ("default-timeout", "UV_HTTP_TIMEOUT"),
        ("timeout", "UV_HTTP_TIMEOUT"),
    ):
        if pip.get(pip_name):
            environment.setdefault(uv_name, ("," if uv_name == "UV_FIND_LINKS" else " ").join(pip[pip_name].split()))
    environment["VIRTUAL_ENV"] = str(VENV)
    return environment


def run(*command: str, environment: dict[str, str] | None = None) -> bool:
    return subprocess.call(list(command), env=environment, stdin=subprocess.DEVNULL) == 0


def pip_install(lock: Path) -> bool:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    return run(str(PYTHON), "-m", "pip", "install", "--require-hashes", *quiet, "-r", str(lock))


def uv_install(lock: Path) -> bool:
    if not UV.exists():
        say("installing uv, the installer")
        pip_install(UV_LOCK)
    # Looking in every index is safe here: the lock's hashes, not the index, decide what may be installed.
    environment = {"UV_INDEX_STRATEGY": "unsafe-best-match", **uv_environment()}
    sync = [str(UV), "pip", "sync", "--require-hashes", "--compile-bytecode", str(lock)]
    return UV.exists() and run(*sync, environment=environment)


def install(lock: Path) -> None:
    say(f"installing the packages of {lock.name}")
    if uv_install(lock):
        return
    say("uv could not do it; pip will (about a minute)")
    if not pip_install(lock):
        stop("the packages could not be installed; the lines above say why. Check the network, then run `make install` again")


def add_the_project() -> None:
    """Makes the tree importable and gives it its command, without building anything."""
    asked = [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    (site / "payloom.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    launcher = BIN / "payloom"
    launcher.write_text(LAUNCHER, encoding="utf-8")
    launcher.chmod(0o755)


def write_locks(*options: str) -> None:
    """Resolves pyproject.toml for every platform, hashed and without any address; the smaller lock follows the larger."""
    # Extra places of one machine (a folder of wheels) would leave out other platforms' hashes: the main index only.
    environment = {name: value for name, value in uv_environment().items() if name not in ("UV_INDEX", "UV_FIND_LINKS")}
    compile_ = [str(UV), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--custom-compile-command", "make lock"]
    full, small, tool = (path.relative_to(ROOT).as_posix() for path in (LOCKS["dev"], LOCKS["run"], UV_LOCK))
    for arguments in (
        ["pyproject.toml", "--group", "dev", "--output-file", full, *options],
        ["pyproject.toml", "--constraint", full, "--output-file", small, *options],
        [".ci/requirements-uv.in", "--output-file", tool, *options],
    ):
        say("writing " + arguments[arguments.index("--output-file") + 1])
        if subprocess.call([*compile_, *arguments], env=environment, cwd=str(ROOT)) != 0:
            stop("the locks could not be written; the lines above say why")


def main(kind: str, *options: str) -> None:
    if kind == "lock":
        write_locks(*options)
        return
    if is_ready(kind):
        return
    if stamp()[:1] == ["dev"]:
        kind = "dev"  # never take the test packages away again from somebody who has them
    make_venv()
    STAMP.unlink(missing_ok=True)
    install(LOCKS[kind])
    add_the_project()
    STAMP.write_text(mark(kind), encoding="utf-8")
    say("installed: .venv/bin/payloom")


if __name__ == "__main__":
    main(*sys.argv[1:])
