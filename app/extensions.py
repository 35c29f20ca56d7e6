"""The Flask extensions, bound to an application by `app.init_app`."""

from __future__ import annotations

from flask_migrate import Migrate
from flask_smorest import Api
from flask_sqlalchemy import SQLAlchemy

from app.storage.models import Base

# The models are plain SQLAlchemy on `Base`; the extension brings the engine and the metadata that migrations compare.
db = SQLAlchemy(model_class=Base)
migrate = Migrate()
api = Api()
