"""Creates and upgrades the SQLite database of an MLflow store.

MLflow does both step by step, and a second process that looks in between fails or damages the file.
Here, the steps are taken on a copy, which then replaces the content of the database in one
transaction. The caller holds a lock, as programs that know nothing of it, such as `mlflow ui`, may
still create the same database at the same time.
"""

import glob
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.mlflow_logging.run_log import open_client

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

_LOCKED_S = 10.0
_SETTLED_S = 3.0
"""How long a database of another version must stay unchanged: a program may be creating it."""

_POLL_S = 0.1


def database_path(uri: str) -> Path | None:
    """File of an SQLite database; None for servers and for databases in memory."""
    if not uri.startswith(("sqlite:", "sqlite+")):
        return None
    from sqlalchemy.engine import make_url

    path = make_url(uri).database
    return Path(path) if path and path != ":memory:" else None


def database_uri(path: Path) -> str:
    """Address of the SQLite database in a file."""
    from sqlalchemy.engine import URL

    # Some characters, such as `%`, have a meaning in addresses.
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def prepare_database(path: Path) -> None:
    """Create a database that is missing, and upgrade one of an older version of MLflow.

    The former content of a database that is upgraded is kept in a file beside it.

    Raises:
        sqlite3.Error: If it cannot be read and written; MLflow would retry for minutes and give a
            worse message.
        alembic.util.CommandError: If a newer version of MLflow made it.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial*"):
        left.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, timeout=_LOCKED_S, isolation_level=None)) as database:
        if not _tables(database):
            logger.info("creating the MLflow database %s", path)
            with _partial(path) as partial:
                open_client(database_uri(partial)).search_experiments()
                if not _tables(database):  # nor did another program create them meanwhile
                    _copy(partial, database)
        with _writing(database):
            version = _version(database)
        if version != _current_version():
            _wait_until_settled(database)
            version = _version(database)
        if version != _current_version():
            _check_version(version)
            _upgrade(path, database, version)


def _check_version(version: str) -> None:
    """Check that the installed version of MLflow can upgrade a database.

    Raises:
        sqlite3.DatabaseError: If the database was not created completely.
        alembic.util.CommandError: If a newer version of MLflow made it.
    """
    from alembic.script import ScriptDirectory

    if not version:
        raise sqlite3.DatabaseError("no such table: alembic_version")
    ScriptDirectory.from_config(_migrations()).get_revision(version)


def _upgrade(path: Path, database: sqlite3.Connection, version: str) -> None:
    former = path.with_name(f"{path.name}.{version}")
    logger.warning(
        "an older version of MLflow made the database %s: upgrading it; its former content is in "
        "%s. Older versions of MLflow cannot open the upgraded database",
        path,
        former,
    )
    with _partial(path) as partial:
        with _writing(database):
            for copy in (former, partial):
                with closing(sqlite3.connect(copy)) as target:
                    _copy(path, target)
            _upgrade_file(partial)
        _copy(partial, database)


def _upgrade_file(path: Path) -> None:
    """Upgrade a database that nothing else uses, as `mlflow db upgrade` does."""
    from alembic import command
    from sqlalchemy import create_engine

    engine = create_engine(database_uri(path))
    migrations = _migrations()
    try:
        with engine.begin() as connection:
            migrations.attributes["connection"] = connection
            command.upgrade(migrations, "heads")
    finally:
        engine.dispose()


def _migrations() -> "Config":
    """MLflow's migrations, which bring a database from any version to the next."""
    from alembic.config import Config

    folder = files("mlflow.store") / "db_migrations"
    config = Config(str(folder / "alembic.ini"))
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _current_version() -> str:
    """Version of the databases that the installed version of MLflow uses."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(_migrations()).get_current_head())


def _version(database: sqlite3.Connection) -> str:
    """Version of a database; empty if it has none yet."""
    if "alembic_version" not in _tables(database):
        return ""
    (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return str(version)


def _tables(database: sqlite3.Connection) -> tuple[str, ...]:
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return tuple(name for (name,) in found)


def _wait_until_settled(database: sqlite3.Connection) -> None:
    """Wait until a database is up to date, or nothing has changed its tables for a while."""
    current, state, since = _current_version(), _state(database), time.monotonic()
    while state[0] != current and time.monotonic() - since < _SETTLED_S:
        time.sleep(_POLL_S)
        if (now := _state(database)) != state:
            state, since = now, time.monotonic()


def _state(database: sqlite3.Connection) -> tuple[str, int]:
    (changes,) = database.execute("PRAGMA schema_version").fetchone()
    return _version(database), changes


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Path of a temporary database beside another."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(database: sqlite3.Connection) -> Iterator[None]:
    """Let no other process write."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Replace the content of a database by that of a file, in one transaction.

    Raises:
        sqlite3.OperationalError: If another process keeps it locked.
    """
    until = time.monotonic() + _LOCKED_S

    def check(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > until:  # Python would try for ever
            raise sqlite3.OperationalError("database is locked")

    with closing(sqlite3.connect(path)) as source:
        source.backup(target, progress=check)
