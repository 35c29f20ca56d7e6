"""`demo`: the whole story on one terminal, with real processes and real requests."""
