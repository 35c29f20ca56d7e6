"""The acts of the demo, in order."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from app.cli.demo.children import Children, Toy
from app.cli.demo.scene import MODEL, OWNER, Scene
from app.cli.refusal import Refused

PROMPTS = (
    "What does a lighthouse dream of?",
    "Name a colour for Mondays.",
    "Who taught the river to turn?",
    "Write a haiku about queues.",
    "Why is the moon so quiet?",
    "Invent a word for almost rain.",
    "What is in the blue box?",
    "Tell me a very short story.",
)


class Story:
    def __init__(self, children: Children, port: int) -> None:
        self._children = children
        self._scene = Scene(children, port)
        self._narrator = self._scene.narrator

    def tell(self) -> None:
        """Raises Refused when something does not happen, KeyboardInterrupt when the reader has seen enough."""
        self._start()
        self._register()
        self._eight_prompts()
        self._stream()
        self._kill()
        self._recover()
        self._what_next()
        self._stay()

    def _start(self) -> None:
        self._narrator.title("Rollcall: one door in front of every model service")
        self._narrator.say(
            "This demo runs a real server and two toy model services. The toys make up words: no model, no GPU, no key."
        )
        self._children.start_server()
        self._amber = self._children.toy("openai", "amber")
        self._birch = self._children.toy("seed", "birch")
        self._scene.wait_until("the start of the server", self._ready)
        self._scene.show_key()
        self._narrator.say(f"  server  {self._scene.server.url}")
        self._narrator.say(f"  amber   {self._amber.url}  (OpenAI's shape)")
        self._narrator.say(f"  birch   {self._birch.url}  (the seed's shape)")

    def _ready(self) -> bool:
        try:
            return bool(self._scene.server.call("GET", "/readyz"))
        except Refused:
            return False

    def _register(self) -> None:
        self._narrator.title("1. Two services, two shapes, one model name: register both, with weights 3 and 1")
        for row in self._scene.rows():
            if row["owner"] == OWNER:
                self._narrator.say(f"Worker {row['id']} is left over from an earlier demo:")
                self._scene.request("DELETE", f"/api/server/workers/{row['id']}")
        for toy, registration in ((self._amber, _openai_shaped(self._amber)), (self._birch, _seed_shaped(self._birch))):
            told = self._scene.request("POST", "/api/server/register", registration, pretty=True)
            self._scene.names[told.body["id"]] = toy.name
            self._narrator.reply(f"{told.body['msg']} It is worker {told.body['id']}.")
        self._scene.wait_until("the first health check", lambda: self._all_are_up())

    def _eight_prompts(self) -> None:
        self._narrator.title("2. Eight prompts: amber gets about three in four, birch the rest")
        answered = Counter(self._scene.ask(prompt) for prompt in PROMPTS)
        counts = " and ".join(f"{name} {answered[name]}" for name in self._scene.names.values())
        self._narrator.say(
            f"{counts}: chance decides, by weight. X-Rollcall-Worker says who answered; curl -i shows it."
        )

    def _stream(self) -> None:
        self._narrator.title("3. The same model streamed, to any OpenAI client")
        for _ in range(25):
            if self._stream_once():
                return
            self._narrator.say("birch cannot stream, so its whole answer came as one piece. Once more:")

    def _stream_once(self) -> bool:
        """Whether the answer came in several pieces."""
        prompt = "Count the stars for me."
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        self._narrator.command(self._scene.curl("POST", "/v1/chat/completions", body, stream=True))
        headers, pieces = self._scene.server.stream_chat(MODEL, prompt)
        self._narrator.piece("  ")
        count = 0
        for piece in pieces:
            self._narrator.piece(piece)
            count += 1
        self._narrator.reply("", f"[{self._scene.who(headers)}, {count} piece{'s' if count > 1 else ''}]")
        return count > 1

    def _kill(self) -> None:
        self._narrator.title("4. amber dies")
        self._narrator.command(f"kill -9 {self._amber.process.pid}")
        self._amber.kill()
        self._narrator.say("Nobody told the server. The next prompts are answered all the same:")
        for prompt in PROMPTS[:4]:
            self._scene.ask(prompt)
        self._scene.wait_until("marking amber down", lambda: "down" in self._scene.verdicts().values())
        self._narrator.say("Meanwhile the health checks have noticed:")
        self._scene.table()

    def _recover(self) -> None:
        self._narrator.title("5. amber comes back")
        port = self._amber.port
        self._narrator.command(f"{self._scene.manage} sample-worker --shape openai --name amber --port {port} &")
        self._amber = self._children.toy("openai", "amber", port)
        self._scene.wait_until("marking amber up", lambda: self._all_are_up())
        self._scene.table()
        for prompt in PROMPTS[4:]:
            self._scene.ask(prompt)

    def _all_are_up(self) -> bool:
        verdicts = self._scene.verdicts()
        return all(verdicts.get(worker) == "up" for worker in self._scene.names)

    def _what_next(self) -> None:
        url = self._scene.server.url
        self._narrator.title("All of this stays up until Ctrl-C. To try next, in another terminal:")
        for line in (
            f"{self._scene.manage} ask {MODEL} 'Hello there' --url {url}",
            f"{self._scene.manage} list-workers",
            f"kill -9 {self._birch.process.pid}     # then list the workers again",
            self._scene.curl("GET", f"/api/server/route?model_name={MODEL}"),
        ):
            self._narrator.command(line)
        self._narrator.say(f"The API: {url}/docs. How to register your own services: docs/registration.md")

    def _stay(self) -> None:
        while True:
            self._scene.check_server()
            time.sleep(0.5)


def _openai_shaped(toy: Toy) -> dict[str, Any]:
    return {
        "model_name": MODEL,
        "req_url_template": toy.url,
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "stream": "{STREAM}"},
        "response_extract": "choices[].message.content",
        "stream": {"framing": "sse", "delta_extract": "choices[].delta.content", "done": "[DONE]"},
        "owner": OWNER,
        "weight": 3,
    }


def _seed_shaped(toy: Toy) -> dict[str, Any]:
    return {
        "model_name": MODEL,
        "req_url_template": toy.url,
        "body": {"input": "{USER_PROMPT}"},
        "response_extract": "data.items[].attributes.answer",
        "owner": OWNER,
        "weight": 1,
    }
