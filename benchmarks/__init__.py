"""Benchmarks of mpg against gevent, asyncio, uvloop and Go: `python -m benchmarks.run`."""
