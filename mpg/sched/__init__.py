"""The scheduler, written once against `mpg.port`. The main loop is `schedule` in `proc.py`."""
