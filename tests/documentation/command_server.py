"""The process that starts documented commands: it imports once, and forks for each.

A request is a line of JSON on stdin, ``arguments``, ``folder``, ``streams`` and
``before`` as :meth:`prepared_process.PreparedProcesses.start` has them. The answers are
two lines: the new process's id at once, and its exit code at its end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

IMPORTS = ('cape_mm.apis', 'cape_mm.apis.inference', 'cape_mm.apis.report')
SCRIPT = '-'
"""Stands for Python code that the next argument holds, instead of a file."""


def serve() -> dict | None:
    """Fork for every request; returns in the children with it, at the end with None."""
    for line in sys.stdin:
        request = json.loads(line)
        for suffix in ('.out', '.err'):
            Path(request['streams']).with_suffix(suffix).write_text('')
        pid = os.fork()
        if not pid:
            return request
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return None


def redirect(path: Path) -> None:
    """Nothing on stdin, and a file for each of the other streams."""
    for number, name in enumerate((os.devnull, f'{path}.out', f'{path}.err')):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND
        stream = os.open(name, flags)
        os.dup2(stream, number)
        os.close(stream)


def run_python(arguments: Sequence[str]) -> None:
    """What the interpreter does with its command line."""
    first, *rest = arguments
    if first == SCRIPT:
        sys.argv = ['-c']
        exec(compile(rest[0], '<documentation>', 'exec'), {'__name__': '__main__'})
    elif first == '-m':
        sys.argv = list(rest)
        runpy.run_module(rest[0], run_name='__main__', alter_sys=True)
    else:
        sys.argv = list(arguments)
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name='__main__')


def become(arguments: Sequence[str]) -> NoReturn:
    """Run a command line in this process and end it.

    The interpreter is not taken down as usual, which takes seconds after a fork: it
    would look at every object of PyTorch.
    """
    code: object = 0
    try:
        run_python(arguments)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int):
        print(code or '', end='', file=sys.stderr)
        code = int(code is not None)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def fork_python(arguments: Sequence[str]) -> int:
    """Exit code of ``python script ...``, run in a fork of this process."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        become(arguments)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def call_before(name: str | None) -> None:
    """Call ``module:function``."""
    if name is not None:
        module, _, function = name.partition(':')
        getattr(importlib.import_module(module), function)()


def main() -> None:
    """Serve; a child becomes its command."""
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()  # no child looks at what it has from here
    request = serve()
    if request is None:
        return
    os.setsid()
    redirect(Path(request['streams']))
    os.chdir(request['folder'])
    call_before(request['before'])
    become(request['arguments'])


if __name__ == '__main__':
    main()
