"""What callers speak: for each surface, from its request to a ChatRequest and from an answer to its reply."""
