"""Which driver speaks to an SQL database that SQLAlchemy reaches."""

from collections.abc import Mapping

# What people write before "://" -> SQLAlchemy's dialect and driver. Another driver's errors and time-outs are unknown.
SQL_DRIVERS: Mapping[str, str] = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "timescaledb": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "mssql": "mssql+pymssql",
    "sqlserver": "mssql+pymssql",
    "sqlite": "sqlite+pysqlite",
}
