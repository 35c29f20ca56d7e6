"""What the outside calls: schema in, one call into services, schema out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings


def register_api(app: Flask, settings: Settings, *, own: bool) -> None:
    """Bind every surface to `app`. `own`: the application is ours, so its other routes and errors are guarded too."""
    from app.api import (
        completions,
        docs,
        embeddings,
        health,
        images,
        media,
        messages,
        models,
        offline,
        presets,
        rate_limits,
        register,
        route,
        text_completions,
        videos,
        workers,
    )
    from app.api.auth import register_auth
    from app.api.chat_openapi import document
    from app.api.cors import register_cors
    from app.api.edge import register_edge
    from app.api.errors import register_error_handlers
    from app.api.image_openapi import document_images
    from app.api.json_provider import JsonProvider
    from app.api.keep_alive import install
    from app.api.surface_openapi import document_surfaces
    from app.api.video_openapi import document_videos
    from app.core.version import VERSION

    app.config |= {
        "API_TITLE": "Rollcall",
        "API_VERSION": VERSION,
        "OPENAPI_VERSION": "3.0.3",
        "OPENAPI_URL_PREFIX": None,
    }
    if own:
        app.json = JsonProvider(app)
    api = docs.Api(app)
    document(api.spec)
    document_surfaces(api.spec)
    document_images(api.spec)
    document_videos(api.spec)
    documented = (
        *(register.blueprint, presets.blueprint, offline.blueprint, workers.blueprint, route.blueprint),
        health.blueprint,
    )
    plain = (
        *(completions.blueprint, messages.blueprint, text_completions.blueprint, embeddings.blueprint),
        *(images.blueprint, media.blueprint),
        *(videos.blueprint, models.blueprint, docs.blueprint),
    )
    for blueprint in documented:
        api.register_blueprint(blueprint)
    for surface in plain:
        app.register_blueprint(surface)
    whole = app.extensions["rollcall"]
    ours = None if own else {each.name for each in (*documented, *plain)}
    register_cors(app, settings.cors_origins, only=ours)
    register_auth(app, whole.keys, only=ours)
    register_edge(app, settings, whole.client.watchdog, only=ours)
    register_error_handlers(app, own=own)
    install(app)
    rate_limits.install(app)
