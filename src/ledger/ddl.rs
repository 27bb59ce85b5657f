//! The statement that makes the table, and the grants, for the person who prepares it.

use super::{Table, dialect::Dialect};

/// The statement that makes the table.
pub(super) fn create<D: Dialect>(table: &Table) -> String {
    let columns: Vec<_> = D::COLUMNS.iter().map(|(name, kind)| format!("  {name} {kind}")).collect();
    format!("CREATE TABLE {} (\n{}\n){}", table.quoted(D::QUOTE), columns.join(",\n"), D::TABLE_END)
}

pub(super) const POSTGRES_GRANTS: &str = "\
-- Two roles are enough. The one of source.url reads the tenants, and nothing else:
--   CREATE ROLE explo_sync_reader LOGIN;
--   GRANT SELECT ON tenants TO explo_sync_reader;
-- The one of ledger.url has this table alone, and neither DELETE nor CREATE:
--   CREATE ROLE explo_sync_ledger LOGIN;
--   GRANT SELECT, INSERT, UPDATE ON {table} TO explo_sync_ledger;
-- The application reads its token, unless the tenant's row is gone for longer than offboard.after
-- (here 7 days), or its customer is locked out:
--   SELECT token FROM {table} WHERE instance = '{instance}' AND provided_id = $1
--   AND (row_gone_since IS NULL OR row_gone_since > now() - interval '7 days')
--   AND (offboarded IS NULL OR offboarded NOT LIKE '{\"action\":\"lock_out\"%');
";

pub(super) const MYSQL_GRANTS: &str = "\
-- Two users are enough. The one of source.url reads the tenants, and nothing else:
--   CREATE USER 'explo_sync_reader'@'%';
--   GRANT SELECT ON tenants TO 'explo_sync_reader'@'%';
-- The one of ledger.url has this table alone, and neither DELETE nor CREATE:
--   CREATE USER 'explo_sync_ledger'@'%';
--   GRANT SELECT, INSERT, UPDATE ON {table} TO 'explo_sync_ledger'@'%';
-- The application reads its token, unless the tenant's row is gone for longer than offboard.after
-- (here 7 days), or its customer is locked out:
--   SELECT token FROM {table} WHERE instance = '{instance}' AND provided_id = ?
--   AND (row_gone_since IS NULL OR row_gone_since > utc_timestamp() - interval 7 day)
--   AND (offboarded IS NULL OR offboarded NOT LIKE '{\"action\":\"lock_out\"%');
";

pub(super) const SQLITE_GRANTS: &str = "\
-- A file has no roles. Let ledger.url name a file of its own, so that the tenants' file can stay read-only; its directory
-- must be writable as well. The application reads its token, unless the tenant's row is gone for longer than
-- offboard.after (here 7 days), or its customer is locked out:
--   SELECT token FROM {table} WHERE instance = '{instance}' AND provided_id = ?
--   AND (row_gone_since IS NULL OR row_gone_since > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days'))
--   AND (offboarded IS NULL OR offboarded NOT LIKE '{\"action\":\"lock_out\"%');
";
