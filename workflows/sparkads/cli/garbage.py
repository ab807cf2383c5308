"""What a command loads is no garbage: Python looks for none meanwhile, nor among it afterwards.

It would look through all modules again and again while they are loaded: a tenth of a short command's time.
"""

from __future__ import annotations

import gc


def loading() -> None:
    """Modules are about to be loaded, in a process that is all ours."""
    gc.disable()


def loaded() -> None:
    """All that a command needs is there; what it leaves behind from now on is looked for as ever."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
