"""What a run looks like from outside: schedtrace lines, tables of G's."""
