"""mpg.sync: WaitGroup, Mutex, RWMutex, Once, Cond, Semaphore, after Go's sync package.

All of them sleep on `Sema`, in Go's order, and raise Go's words when misused.
"""

from .cond import Cond, Locker, Once, Semaphore
from .mutex import Mutex
from .rwmutex import RWMutex
from .waitgroup import WaitGroup

__all__ = ["Cond", "Locker", "Mutex", "Once", "RWMutex", "Semaphore", "WaitGroup"]
