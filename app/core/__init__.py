"""Pure decisions: no I/O, no Flask, no SQL. Every other layer may import this one."""
