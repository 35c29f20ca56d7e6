"""The only room that speaks HTTP to model services."""
