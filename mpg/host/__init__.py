"""The real world: OS threads, greenlets, the monotonic clock, epoll, signals."""
