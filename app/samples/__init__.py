"""Toy model services: they make up words, so that anyone can try Rollcall without a GPU and without a key."""
