"""One deployment of another router's list as a registration, by a table that ships as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import InvalidField
from app.core.preset import Preset, laid_over

_WORDS = frozenset(
    (
        *("model", "api_base", "base_url", "api_key", "api_version", "timeout", "extra_headers", "extra_body"),
        *("headers", "max_parallel_requests", "custom_llm_provider", "weight", "rpm", "organization"),
        "aws_region_name",
    )
)
_DEFAULTS = {"temperature": "MODEL_TEMPERATURE", "max_tokens": "MAX_TOKENS", "top_p": "TOP_P", "seed": "SEED"}
_PARAMETER = re.compile(r"\{(?P<name>[a-z_]+)\}")


class Deployment:
    """One row on its way to a registration. `ignored`: its words that no registration has."""

    def __init__(
        self,
        row: Mapping[str, Any],
        params: Mapping[str, Any],
        table: Mapping[str, Any],
        preset: Callable[[str], Preset],
        environ: Mapping[str, str],
    ) -> None:
        self._environ = environ
        self._name = row["model_name"]
        self._params, self._table, self._find = params, table, preset
        self._info = row.get("model_info") if isinstance(row.get("model_info"), Mapping) else {}
        self.ignored = [
            *(name for name in row if name not in ("model_name", table["params"], "model_info", "rpm")),
            *(name for name in params if name not in _WORDS and name not in _DEFAULTS),
            *(f"model_info.{name}" for name in self._info or {} if name not in ("id", "mode")),
        ]

    def words(self) -> dict[str, Any]:
        provider, model = self._provider()
        if why := self._table["unmapped"].get(provider):
            raise InvalidField(f"the provider {provider} cannot be mapped: {why}")
        if provider not in self._table["providers"]:
            raise InvalidField(f"no preset is known for the provider {provider or 'of ' + model}")
        known = self._table["providers"][provider]
        for lead in known.get("strip", ()):
            model = model.removeprefix(lead)
        base = self._base()
        if "url" not in known and "aws_region_name" in self._params:
            self.ignored.append("aws_region_name")
        preset = self._preset(known, base)
        words = self._keyed(preset, known, base).under(
            {"req_url_template": url} if (url := self._url(known, base)) else {}
        )
        words.pop("model_name")
        words.pop("upstream_model", None)
        return laid_over(words, self._given(words, model))

    def _provider(self) -> tuple[str, str]:
        """The provider, and the model's name there."""
        model = str(self._params["model"])
        provider, mark, rest = model.partition("/")
        named = self._params.get("custom_llm_provider")
        if isinstance(named, str):
            return named, model.removeprefix(named + "/")
        if mark and (provider in self._table["providers"] or provider in self._table["unmapped"]):
            return provider, rest
        bare = next((to for lead, to in self._table["bare"].items() if model.startswith(lead) and not mark), provider)
        return (bare, model) if not mark else (provider, rest)

    def _mode(self) -> str:
        named = (self._info or {}).get("mode")
        if isinstance(named, str):
            return named
        model = str(self._params["model"]).lower()
        return next((mode for piece, mode in self._table["modes"].items() if piece in model), "chat")

    def _preset(self, known: Mapping[str, Any], base: str) -> Preset:
        mode = self._mode()
        here = known.get("anywhere") or not base or base.rstrip("/") == known.get("base")
        name = known.get("presets", {}).get(mode) if here else None
        if name is None and "base" in known:
            name = self._table["compatible"].get(mode)
        if name is None:
            raise InvalidField(f"no preset is known for its mode {mode}")
        if not base and (known.get("needs_base") or known.get("base") == ""):
            raise InvalidField("it names no api_base")
        return self._find(name)

    def _url(self, known: Mapping[str, Any], base: str) -> str:
        if "base" in known:
            target = (base or known["base"]).rstrip("/")
            path = str(self._table["paths"][self._mode()])
            return target if target.endswith(path) else target + path
        if base:
            return base
        parameters = self._params
        if any(match["name"] not in parameters for match in _PARAMETER.finditer(known.get("url", ""))):
            return ""
        return _PARAMETER.sub(lambda match: str(parameters[match["name"]]), known.get("url", ""))

    def _base(self) -> str:
        """The address that the row names; a registration's cannot stand in an environment variable."""
        base = str(self._params.get("api_base") or self._params.get("base_url") or "")
        mark = self._table["environment"]
        name = base.removeprefix(mark)
        if base.startswith(mark) and not self._environ.get(name):
            raise InvalidField(f"its address is in the environment variable {name}, which is not set here")
        return self._environ[name] if base.startswith(mark) else base

    def _keyed(self, preset: Preset, known: Mapping[str, Any], base: str) -> Preset:
        """With the row's own key, else at the provider's own address the variable that its key is usually in."""
        key = self._params.get("api_key")
        if isinstance(key, str) and key:
            return preset.with_key(self._environment(key, "env:"))
        elsewhere = "base" in known and base and base.rstrip("/") != known["base"]
        return preset.with_key("env:" + known["key"]) if known.get("key") and not elsewhere else preset

    def _given(self, words: Mapping[str, Any], model: str) -> dict[str, Any]:
        params = self._params
        given: dict[str, Any] = {"upstream_model": model} if model != self._name else {}
        if isinstance(identity := (self._info or {}).get("id"), str):
            given["instance"] = identity
        headers = {**self._object("headers"), **self._object("extra_headers")}
        if isinstance(params.get("organization"), str):
            headers[self._table["organization"]] = params["organization"]
        if headers:
            given["header"] = {name: self._environment(str(value), "${env:", "}") for name, value in headers.items()}
        self._numbers(given)
        if isinstance(params.get("api_version"), str) and "req_param" in words:
            given["req_param"] = {"api-version": self._environment(params["api_version"], "${env:", "}")}
        elif "api_version" in params:
            self.ignored.append("api_version")
        body = _with_defaults(words.get("body") or {}, params)
        given["body"] = laid_over(body, self._object("extra_body"))
        return given

    def _environment(self, text: str, lead: str, end: str = "") -> str:
        """A reference to an environment variable in our words; other text as it is."""
        mark = self._table["environment"]
        return f"{lead}{text.removeprefix(mark)}{end}" if text.startswith(mark) else text

    def _object(self, name: str) -> Mapping[str, Any]:
        value = self._params.get(name) or {}
        if isinstance(value, Mapping):
            return value
        self.ignored.append(name)
        return {}

    def _numbers(self, given: dict[str, Any]) -> None:
        for name, word in (("timeout", "timeout_s"), ("max_parallel_requests", "limits")):
            value = self._params.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                given[word] = value if word == "timeout_s" else {"concurrency": int(value)}
            elif name in self._params:
                self.ignored.append(name)
        numbers = ("weight", "rpm", *_DEFAULTS)
        self.ignored += [name for name in numbers if not isinstance(self._params.get(name, 0), int | float)]
        if "weight" in self._params and "rpm" in self._params:
            self.ignored.append("rpm")
        if "organization" in self._params and not isinstance(self._params["organization"], str):
            self.ignored.append("organization")


def _with_defaults(node: Any, params: Mapping[str, Any]) -> Any:
    """A template whose placeholders have the row's values as defaults."""
    if isinstance(node, Mapping):
        return {key: _with_defaults(value, params) for key, value in node.items()}
    for name, placeholder in _DEFAULTS.items():
        value = params.get(name)
        if (
            isinstance(value, int | float)
            and isinstance(node, str)
            and re.fullmatch(rf"\{{{placeholder}(:.*)?\}}", node)
        ):
            return f"{{{placeholder}:{value}}}"
    return node
