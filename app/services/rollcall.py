"""The running whole of one process: what the API, the command line and the server hooks work with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.services.checker import Checker
from app.services.fleet import Fleet
from app.services.generation import Generation
from app.services.jobs import Jobs
from app.services.keys import Keys
from app.services.media import Media
from app.services.registration import Registry
from app.services.routing import Router
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.storage.database import Database
from app.upstream.client import Client
from app.upstream.dialing import Network
from app.upstream.gate import Gate
from app.upstream.probe import Prober
from app.upstream.sweeping import Sweeper


@dataclass(frozen=True, slots=True)
class Rollcall:
    settings: Settings
    database: Database
    fleet: Fleet
    keys: Keys
    gate: Gate
    client: Client
    verdicts: Verdicts
    prober: Prober
    registry: Registry
    router: Router
    checker: Checker
    media: Media
    jobs: Jobs
    generation: Generation
    sweeper: Sweeper

    def start(self, ports: Iterable[int] = ()) -> None:
        """Follow the fleet, poll jobs, check health. Called once in each serving process, never by the factory.

        `ports`: where this server listens, as far as the settings do not say.
        """
        self.gate.listens_on(ports)
        self.client.watchdog.start()
        self.fleet.start()
        self.keys.start()
        self.jobs.start_polling()
        self.sweeper.start()
        if self.settings.health_checks:
            self.checker.start()

    def stop(self) -> None:
        self.checker.stop()
        self.jobs.stop()
        self.sweeper.stop()
        self.keys.stop()
        self.fleet.stop()
        self.client.watchdog.stop()


def assemble(settings: Settings, database: Database) -> Rollcall:
    verdicts = Verdicts(settings)
    fleet = Fleet(database, settings.fleet_poll_s, verdicts.changed)
    keys = Keys(database, settings)
    fleet.take_along(keys.follow)
    gate = Gate(settings.targets)
    client = Client(settings, Network(check=gate.check))
    prober = Prober(client)
    router = Router(fleet, client, verdicts, settings, settings.secret)
    media = Media(database, client, settings)
    jobs = Jobs(database, router, media, settings, settings.secret)
    return Rollcall(
        settings=settings,
        database=database,
        fleet=fleet,
        keys=keys,
        gate=gate,
        client=client,
        verdicts=verdicts,
        prober=prober,
        registry=Registry(database, fleet, settings, verdicts),
        router=router,
        checker=Checker(database, fleet, prober, verdicts, settings, settings.secret),
        media=media,
        jobs=jobs,
        generation=Generation(router, jobs, settings.timeout_s),
        sweeper=Sweeper(client),
    )
