"""Fork servers: one a backend, and a guard for each thing of `multiprocessing` that is used and not documented."""

from __future__ import annotations

import multiprocessing as mp
import os
import platform
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import pytest

from grubench.backends import registry
from grubench.errors import TrainingError
from grubench.execution import forkservers

pytestmark = pytest.mark.skipif(not forkservers.available(), reason="there are no fork servers on this system")


def changed(what: str) -> str:
    """What a guard says when it fails."""
    return (
        f"Python {platform.python_version()} has changed what it does not document: {what}. "
        "Look at grubench/execution/forkservers.py."
    )


def send_origin(pipe: Connection) -> None:
    """The body of a child: its parent, its backend, and whether it has the script of the tests."""
    pipe.send((os.getppid(), os.environ[registry.VARIABLE], hasattr(sys.modules["__main__"], "mark_of_the_script")))


def test_a_fork_server_can_be_made() -> None:
    from multiprocessing import forkserver

    server = forkserver.ForkServer()
    for name in ("set_forkserver_preload", "ensure_running", "connect_to_new_process"):
        assert callable(getattr(server, name, None)), changed(f"ForkServer.{name} is gone")


def test_process_start_looks_up_how_to_connect_in_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import forkserver

    class ConnectError(Exception):
        pass

    def refuse(fds: list[int]) -> tuple[int, int]:
        raise ConnectError(fds)

    monkeypatch.setattr(forkserver, "connect_to_new_process", refuse)
    process = mp.get_context("forkserver").Process(target=os.getpid)
    try:
        process.start()
    except ConnectError:
        return
    process.join()
    pytest.fail(changed("Process.start no longer calls forkserver.connect_to_new_process"))


def test_children_import_the_script_that_sys_modules_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import spawn

    script = ModuleType("__main__")
    script.__file__ = "/a/script.py"
    monkeypatch.setitem(sys.modules, "__main__", script)
    data = spawn.get_preparation_data("child")
    assert data.get("init_main_from_path") == "/a/script.py", changed("a child's script is not that of sys.modules")
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    data = spawn.get_preparation_data("child")
    assert "init_main_from_path" not in data, changed("a main module without a file is imported in children")
    assert "init_main_from_name" not in data, changed("a main module without a file is imported in children")


def test_each_backend_has_a_server_and_no_child_imports_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkservers, "PRELOADED", ())
    monkeypatch.setattr(forkservers, "_servers", {})
    monkeypatch.setattr(sys.modules["__main__"], "mark_of_the_script", True, raising=False)
    monkeypatch.setenv(registry.VARIABLE, "tensorflow")
    origins = []
    for backend in ("torch", "jax", "torch"):
        reader, writer = forkservers.make_pipe()
        process = forkservers.start_process(backend, send_origin, writer)
        writer.close()
        origins.append(reader.recv())
        process.join()
    servers = [server for server, _, _ in origins]
    assert servers[0] == servers[2] != servers[1], changed("a process is not forked from the server that is asked")
    assert os.getpid() not in servers
    assert [backend for _, backend, _ in origins] == ["torch", "jax", "torch"]
    assert not any(has_script for _, _, has_script in origins)
    assert os.environ[registry.VARIABLE] == "tensorflow"


def test_a_server_that_dies_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('this build needs AVX')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(forkservers, "PRELOADED", ("broken_module",))
    monkeypatch.setattr(forkservers, "_servers", {})
    with pytest.raises(TrainingError, match="torch could not be started, or died") as caught:
        forkservers.start_process("torch", send_origin, None)
    assert "RuntimeError: this build needs AVX" in caught.value.message


def test_sockets_lie_in_the_folder_of_this_process() -> None:
    program = (
        "from pathlib import Path\n"
        "from grubench.execution import forkservers\n"
        "from grubench.execution.process_folder import process_folder\n"
        "forkservers.PRELOADED = ()\n"
        "forkservers.warm_up('torch')\n"
        "print(*[path.parent.parent == process_folder() for path in process_folder().rglob('listener-*')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"], changed("a socket's folder is not made where tempfile.tempdir says")
    assert not done.stderr, changed("the folder of sockets is removed after the folder that it lies in")
