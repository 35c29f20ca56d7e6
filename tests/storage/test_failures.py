"""What databases do wrong: each is StorageUnavailable with one sentence, and the next transaction works again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from app.core.errors import InvalidField, RollcallError, StorageUnavailable
from app.core.registration import Registration
from app.storage import revision, workers
from app.storage.database import Database, SchemaBehind, engine_options
from tests.databases import ROOT, opened, upgrade

Build = Callable[..., Registration]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, **engine_options(database_url))
    yield engine
    engine.dispose()


def refusal(database: Database, *statements: str) -> RollcallError:
    """What a change is refused with, after these statements in its transaction."""

    def change() -> None:
        with database.write() as tx:
            for statement in statements:
                tx.execute(text(statement))
            revision.bump(tx)

    with pytest.raises(RollcallError) as caught:
        change()
    error = caught.value
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert "UPDATE" not in error.message
    return error


def test_missing_tables_name_the_command(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE revision"))
    error = refusal(Database(engine))
    assert isinstance(error, SchemaBehind)
    assert "flask db upgrade" in error.message


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "UPDATE alembic_version SET version_num = '0000'",
    ],
)
def test_a_schema_that_is_not_of_this_version(engine: Engine, change: str) -> None:
    database = Database(engine)
    with engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(SchemaBehind, match="flask db upgrade"):
        database.check_schema()


def test_a_column_of_another_version(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE revision RENAME COLUMN number TO old"))
    assert isinstance(refusal(Database(engine)), SchemaBehind)


def test_a_missing_row_is_a_schema_that_does_not_fit(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM revision"))
    assert isinstance(refusal(Database(engine)), SchemaBehind)


def test_an_empty_sqlite_file(tmp_path: Path) -> None:
    with pytest.raises(SchemaBehind):
        opened(f"sqlite:///{tmp_path}/new.db").check_schema()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(opened(f"sqlite:///{tmp_path}/no/such.db")).message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("shopping list: " + "milk, " * 1000)
    assert "no SQLite database" in refusal(opened(f"sqlite:///{tmp_path}/notes.txt")).message


def test_a_read_only_sqlite(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    opened(sqlite_url).check_schema()
    assert "read-only" in refusal(opened(f"sqlite:///file:{path}?mode=ro&uri=true")).message


def test_a_full_disk(sqlite_url: str) -> None:
    """A real limit of the file system, in a process of its own; afterwards the database is whole."""
    script = """if True:
        import resource, sys
        from tests.storage.test_failures import opened, refusal, revision
        database = opened(sys.argv[1])
        database.check_schema()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        print(refusal(database).message)
        with database.read() as tx:
            print(revision.current(tx))
    """
    done = subprocess.run([sys.executable, "-c", script, sqlite_url], cwd=ROOT, capture_output=True, text=True)
    assert "disk" in done.stdout, done.stderr
    assert done.stdout.endswith("\n0\n")
    with opened(sqlite_url).write() as tx:
        assert revision.bump(tx) == 1


def test_nobody_there_keeps_the_password_to_itself(tmp_path: Path) -> None:
    error = refusal(opened(f"postgresql://me:hunter2@/db?host={tmp_path}"))
    assert "cannot be reached" in error.message
    assert "hunter2" not in error.message + repr(error)


def test_a_database_that_does_not_exist(postgres_server: str) -> None:
    assert "cannot be reached" in refusal(opened(f"{postgres_server}&dbname=nowhere")).message


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (["SET TRANSACTION READ ONLY"], "read-only"),
        (["SET LOCAL statement_timeout = 20", "SELECT pg_sleep(20)"], "too long"),
        (["DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"], "came first"),
        (["DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$"], "disk"),
        (["SET ROLE pg_monitor"], "refuses this PostgreSQL role"),
        (["SELECT 2147483648::integer"], "too large"),
        (["DO $$ BEGIN RAISE EXCEPTION 'odd'; END $$"], "The database failed"),
    ],
)
def test_postgres_says_no(postgres_url: str, statements: list[str], sentence: str) -> None:
    database = opened(postgres_url)
    assert sentence in refusal(database, *statements).message
    with database.write() as tx:
        assert revision.bump(tx) == 1


def test_a_connection_that_is_cut_inside_a_transaction_and_the_next_one(postgres_url: str) -> None:
    database = opened(postgres_url)
    error = refusal(database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert "cannot be reached" in error.message
    with database.write() as tx:
        assert revision.bump(tx) == 1


def test_a_connection_that_was_cut_while_it_rested_costs_nobody_an_error(postgres_url: str) -> None:
    database, other = opened(postgres_url), opened(postgres_url)
    with database.read() as tx:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with other.write() as killer:
        killer.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    with database.write() as tx:
        assert revision.bump(tx) == 1


def test_a_deadlock_asks_to_try_again(postgres_url: str) -> None:
    with pytest.raises(StorageUnavailable, match="try again"), opened(postgres_url).write() as tx:
        tx.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))


def test_no_connection_is_left(database_url: str) -> None:
    options = engine_options(database_url) | {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}
    database = Database(create_engine(database_url, **options))
    with database.read() as tx:
        revision.current(tx)
        assert "in use" in refusal(database).message


@pytest.mark.parametrize("field", ["model_name", "owner", "spec", "instance", "upstream_model"])
def test_half_a_surrogate_pair_is_refused(database: Database, registration: Build, field: str) -> None:
    with pytest.raises(InvalidField, match="cannot be stored"), database.write() as tx:
        workers.insert(tx, registration(**{field: "a\ud800b"}), 1, 1.0)
    with database.read() as tx:
        assert workers.count(tx) == 0


@pytest.mark.parametrize("field", ["model_name", "owner", "spec", "instance", "upstream_model"])
def test_nul_is_refused_by_postgres(postgres_url: str, registration: Build, field: str) -> None:
    with pytest.raises(InvalidField, match="cannot be stored"), opened(postgres_url).write() as tx:
        workers.insert(tx, registration(**{field: "a\0b"}), 1, 1.0)


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"], ids=["NUL", "surrogate"])
def test_text_that_cannot_be_looked_for(database: Database, bad: str) -> None:
    try:
        with database.read() as tx:
            assert workers.find_all(tx, model_name=bad) == []
    except InvalidField:
        pass
    with database.read() as tx:
        assert workers.find_identity(tx, bad, bad, bad) is None


def test_a_number_that_no_column_holds(database: Database, registration: Build) -> None:
    with pytest.raises(InvalidField), database.write() as tx:
        workers.insert(tx, registration(), 2**70, 1.0)


def test_what_was_acknowledged_survives_a_kill(database_url: str) -> None:
    """The process dies by SIGKILL in the middle of its writes; every revision it told us of is there."""
    script = """if True:
        import sys
        from tests.storage.test_failures import opened, revision
        database = opened(sys.argv[1])
        while True:
            with database.write() as tx:
                number = revision.bump(tx)
            print(number, flush=True)
    """
    command = [sys.executable, "-c", script, database_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(50)]
        process.kill()
        told += process.stdout.readlines()
    complete = [int(line) for line in told if line.endswith("\n")]
    assert complete == list(range(1, len(complete) + 1))
    with opened(database_url).read() as tx:
        assert len(complete) <= revision.current(tx) <= len(complete) + 1


def test_a_sqlite_that_only_reads_for_a_while_is_written_again_by_the_same_process() -> None:
    """Connections that were opened meanwhile can never write: they are given up. (Root may write everything.)"""
    script = """if True:
        import os, sys
        from pathlib import Path
        from tests.storage.test_failures import opened, refusal, revision
        folder, database = Path(sys.argv[1]), opened(f"sqlite:///{sys.argv[1]}/rollcall.db")
        keeper = opened(f"sqlite:///{sys.argv[1]}/rollcall.db")
        with keeper.write() as tx:
            revision.bump(tx)
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, 65534, 65534)
            os.seteuid(65534)
        for path in folder.iterdir():
            path.chmod(0o444)
        for _ in range(2):
            with database.read() as tx:
                print(revision.current(tx), refusal(database).message)
        for path in folder.iterdir():
            path.chmod(0o644)
        with database.write() as tx:
            print(revision.bump(tx))
    """
    folder = Path(tempfile.mkdtemp(prefix="rollcall-read-only-"))
    try:
        upgrade(f"sqlite:///{folder}/rollcall.db")
        done = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True)
    finally:
        shutil.rmtree(folder)
    assert done.stdout.splitlines()[-1:] == ["2"], done.stderr
    assert done.stdout.count("read-only") == 2


def test_a_postgres_that_only_reads_for_a_while_is_written_again_by_the_same_process(postgres_url: str) -> None:
    database, other = opened(postgres_url), opened(postgres_url)
    name = make_url(postgres_url).database
    with other.write() as tx:
        tx.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    assert "read-only" in refusal(database).message
    with other.write() as tx:
        tx.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    with database.write() as tx:
        assert revision.bump(tx) == 1
