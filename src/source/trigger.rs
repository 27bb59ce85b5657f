//! SQL for PostgreSQL: a trigger that notifies a channel of the ids of rows that change.
//!
//! It must never fail the transaction of the application: a notification can't carry an empty text nor one of 8,000
//! bytes, so such ids are left out, and whatever else goes wrong in the trigger is ignored. At the commit, which no trigger
//! sees, PostgreSQL fails a transaction if its queue of notifications is full (8 GB). Names may contain anything.

use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::printable;

/// The channel that it notifies.
const CHANNEL: &str = "explo_sync";

/// The longest id that a notification carries, in bytes.
const LONGEST_ID: usize = 7999;

/// The longest name that PostgreSQL keeps, in bytes.
const LONGEST_NAME: usize = 63;

/// The table whose rows are tenants, and the column that is their id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    schema: Option<String>,
    table: String,
    column: String,
    /// As it was written.
    argument: String,
}

impl FromStr for Trigger {
    type Err = String;

    /// Parses `TABLE`, `TABLE.COLUMN` or `SCHEMA.TABLE.COLUMN`. Names stand as the database has them; one in double quotes
    /// may have dots.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = names(text).filter(|names| names.iter().all(|name| !name.is_empty() && !name.contains('\0')));
        let (schema, table, column) = match names.as_deref() {
            Some([table]) => (None, table, "id"),
            Some([table, column]) => (None, table, &**column),
            Some([schema, table, column]) => (Some(schema.clone()), table, &**column),
            _ => return Err("write TABLE, TABLE.COLUMN or SCHEMA.TABLE.COLUMN, such as public.tenants.id".to_owned()),
        };
        Ok(Self { schema, table: table.clone(), column: column.to_owned(), argument: text.to_owned() })
    }
}

impl Trigger {
    /// The statements. They can be run again, also for another column.
    #[must_use]
    pub fn sql(&self) -> String {
        let (table, function, column) =
            (self.within_schema(&self.table), self.within_schema(&self.function()), quoted(&self.column));
        let test = block(&format!("begin\n    perform {column} from {table} limit 0;\nend"));
        let body = block(&format!(
            "declare
    ids text[] := '{{}}';
    one text;
begin
    if tg_op <> 'DELETE' then
        ids := ids || format('%s', new.{column});
    end if;
    if tg_op <> 'INSERT' then
        ids := ids || format('%s', old.{column});
    end if;
    foreach one in array ids loop
        if octet_length(one) between 1 and {LONGEST_ID} then
            perform pg_notify('{CHANNEL}', one);
        end if;
    end loop;
    return null;
exception when others then
    return null;
end"
        ));
        let (command, told_table, told_function) = (self.command(), printable(&table), printable(&function));
        format!(
            "-- Notifies the channel {CHANNEL} of the id of each row of {told_table} that is inserted, updated or deleted,
-- so that explo-sync syncs it at once. It never fails the transaction that changes the row; only a full queue of
-- notifications (8 GB that a listener has not read) does, at the commit.
--
-- Apply it (it can be run again):  {command} | psql -v ON_ERROR_STOP=1 app
-- Then set in explo-sync.toml:     [source] listen = \"{CHANNEL}\"
-- Undo it:                         drop trigger {CHANNEL} on {told_table}; drop function {told_function}();

begin;
set local client_min_messages = warning;

-- Fails if there is no such column.
do {test};

create or replace function {function}() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as {body};

drop trigger if exists {CHANNEL} on {table};
create trigger {CHANNEL} after insert or update or delete on {table}
    for each row execute function {function}();

commit;
"
        )
    }

    /// One name for each table, also where PostgreSQL would cut it.
    fn function(&self) -> String {
        let name = format!("{CHANNEL}_{}", self.table);
        if name.len() <= LONGEST_NAME {
            return name;
        }
        let hash = format!("_{:016x}", xxh3_64(self.table.as_bytes()));
        let kept = name.floor_char_boundary(LONGEST_NAME - hash.len());
        format!("{}{hash}", &name[..kept])
    }

    fn within_schema(&self, name: &str) -> String {
        let schema = self.schema.as_deref().map_or(String::new(), |schema| format!("{}.", quoted(schema)));
        format!("{schema}{}", quoted(name))
    }

    /// The command that prints it, for a shell.
    fn command(&self) -> String {
        let argument = printable(&self.argument);
        let is_plain = argument.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
        let argument = if is_plain { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) };
        format!("explo-sync init --trigger {argument}")
    }
}

/// The names between the dots; `None` if a quote is not closed.
fn names(text: &str) -> Option<Vec<String>> {
    let (mut names, mut rest) = (Vec::new(), text);
    loop {
        let (name, behind) = if let Some(inside) = rest.strip_prefix('"') {
            unquoted(inside)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        names.push(name);
        match behind.strip_prefix('.') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Some(names),
            None => return None,
        }
    }
}

/// The name up to the closing quote, and what is behind it. Two quotes stand for one.
fn unquoted(mut inside: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    loop {
        let (part, behind) = inside.split_once('"')?;
        name.push_str(part);
        match behind.strip_prefix('"') {
            Some(further) => {
                name.push('"');
                inside = further;
            }
            None => return Some((name, behind)),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text between dollar signs with a tag that it does not have.
fn block(text: &str) -> String {
    let mut tag = "$explo_sync$".to_owned();
    while text.contains(&tag) {
        tag.insert(1, '_');
    }
    format!("{tag}\n{text}\n{tag}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("tenants", &["tenants"])]
    #[case("Tenants.Id", &["Tenants", "Id"])]
    #[case("a.b.c", &["a", "b", "c"])]
    #[case("\"a.b\".\"c\"\"d\"", &["a.b", "c\"d"])]
    #[case("a\"b.c", &["a\"b", "c"])]
    fn names_stand_between_dots(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(names(text).unwrap(), expected);
    }

    #[rstest]
    fn others_are_refused(#[values("", ".", "a.", ".a", "a..b", "a.b.c.d", "\"a", "\"a\"b", "\"\"")] text: &str) {
        assert!(text.parse::<Trigger>().unwrap_err().contains("SCHEMA.TABLE.COLUMN"), "{text}");
    }

    #[test]
    fn each_table_has_a_function_of_its_own() {
        let function = |table: &str| table.parse::<Trigger>().unwrap().function();
        assert_eq!(function("tenants"), "explo_sync_tenants");
        let (one, other) = (function(&format!("{}1", "é".repeat(31))), function(&format!("{}2", "é".repeat(31))));
        assert!(one != other && one.len() <= LONGEST_NAME && one.starts_with("explo_sync_éé"), "{one} {other}");
    }
}
