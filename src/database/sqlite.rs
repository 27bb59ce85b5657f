//! Connections to SQLite files.

use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, raw_sql, sqlite::SqliteConnectOptions};

use super::{
    server::Server,
    transact::{Access, Transact},
};

/// The number of rows that the driver's thread reads ahead, whatever their size.
const ROWS_AHEAD: usize = 8;

impl Transact for SqliteConnection {
    async fn open(server: &Server, access: Access) -> sqlx::Result<Self> {
        SqliteConnectOptions::new()
            .filename(server.database_file()?)
            .read_only(access == Access::Read)
            .create_if_missing(access == Access::Create)
            .busy_timeout(server.busy_timeout())
            .disable_statement_logging()
            .row_buffer_size(ROWS_AHEAD)
            .connect()
            .await
    }

    /// There is no server on which an abandoned statement could go on, so nothing to cancel.
    async fn start(&mut self, _: &Server, mode: &str) -> sqlx::Result<Option<String>> {
        raw_sql(AssertSqlSafe(format!("BEGIN {mode}"))).execute(self).await.map(|_| None)
    }

    async fn end(&mut self, how: &'static str) -> sqlx::Result<()> {
        raw_sql(how).execute(self).await.map(drop)
    }
}
