"""The models that the live check registers: one llama-server in four dialects, and a second one for embeddings."""

from __future__ import annotations

OPENAI, NATIVE, ANTHROPIC, RESPONSES = TEXT = ("tiny-openai", "tiny-native", "tiny-anthropic", "tiny-responses")
EMBEDDING = "tiny-embedding"

# The dialects beside the one that attach registers: model name -> preset.
BESIDE = {NATIVE: "llama-cpp-completion", ANTHROPIC: "anthropic", RESPONSES: "openai-responses"}

# The name of llama-server's own setting for a key, so that one variable serves it and Rollcall.
KEY = "LLAMA_API_KEY"
