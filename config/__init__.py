"""Settings with their defaults (default.py) and the process model (gunicorn.py)."""
