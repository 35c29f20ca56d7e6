"""The version, in one place: setup.cfg, the OpenAPI document and the User-Agent read it from here."""

VERSION = "0.1.0"
