"""Commands in the shape of vendors' documents."""

from __future__ import annotations

from tests.fakes import FakeUpstream

OPENAI = """curl https://api.openai.com/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -d '{
    "model": "gpt-5.4",
    "messages": [
      {"role": "developer", "content": "You are a helpful assistant."},
      {"role": "user", "content": "Hello!"}
    ]
  }'"""
ANTHROPIC = """curl https://api.anthropic.com/v1/messages \\
     --header "x-api-key: $ANTHROPIC_API_KEY" \\
     --header "anthropic-version: 2023-06-01" \\
     --header "content-type: application/json" \\
     --data \\
'{
    "model": "claude-opus-4-6",
    "max_tokens": 1024,
    "messages": [
        {"role": "user", "content": "Hello, world"}
    ]
}'"""
GEMINI = """curl "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash-preview:generateContent" \\
  -H "x-goog-api-key: $GEMINI_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -X POST \\
  -d '{
    "contents": [{"parts": [{"text": "Explain how AI works in a few words"}]}]
  }'"""
OLLAMA = """curl http://localhost:11434/api/chat -d '{
  "model": "llama3.2",
  "messages": [{ "role": "user", "content": "why is the sky blue?" }]
}'"""
OLLAMA_GENERATE = """curl http://localhost:11434/api/generate -d '{
  "model": "llama3.2",
  "prompt": "Why is the sky blue?"
}'"""
MODEL_OF = {
    OPENAI: "gpt-5.4",
    ANTHROPIC: "claude-opus-4-6",
    GEMINI: "gemini-3-flash-preview",
    OLLAMA: "llama3.2",
    OLLAMA_GENERATE: "llama3.2",
}


def at(worker: FakeUpstream, command: str) -> str:
    """The command with the server in place of the vendor's host."""
    start = command.index("http")
    end = command.index("/", command.index("://") + 3)
    return command[:start] + worker.origin + command[end:]
