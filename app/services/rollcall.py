"""The running whole of one process: what the API, the command line and the server hooks work with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.services.checker import Checker
from app.services.fleet import Fleet
from app.services.generation import Generation
from app.services.jobs import Jobs
from app.services.keeping import Keeping
from app.services.keys import Keys
from app.services.last_known import LastKnown
from app.services.lifetime import Lifetime
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
    lifetime: Lifetime
    keeping: Keeping

    def start(self, ports: Iterable[int] = ()) -> None:
        """Follow the fleet, poll jobs, check health. Called once in each serving process, never by the factory.

        `ports`: where this server listens, as far as the settings do not say.
        """
        self.gate.listens_on(ports)
        self.client.watchdog.start()
        # keys before the fleet: what its first look brings must not be replaced by what was known last
        self.keys.start()
        self.fleet.start()
        self.keeping.start()
        self.jobs.start_polling()
        self.sweeper.start()
        if self.settings.health_checks:
            self.checker.start()

    def stop(self) -> None:
        self.jobs.finish(self.lifetime.left_s())
        self.checker.stop()
        self.sweeper.stop()
        self.jobs.stop()
        self.keeping.stop()
        self.fleet.stop()
        self.keys.stop()
        self.client.watchdog.stop()


def assemble(settings: Settings, database: Database) -> Rollcall:
    verdicts = Verdicts(settings)
    last_known = LastKnown(settings, database.address)
    gate = Gate(settings.targets)
    client = Client(settings, Network(check=gate.check))
    fleet = Fleet(
        database,
        settings.fleet_poll_s,
        verdicts.changed,
        last_known.load,
        on_ended=lambda worker: client.forget(worker.url),
    )
    keys = Keys(database, settings)
    fleet.take_along(keys.follow)
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
        lifetime=Lifetime(client.watchdog, settings.grace_s),
        keeping=Keeping(fleet, last_known, settings.var),
    )
