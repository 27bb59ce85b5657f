//! Warnings of MySQL and MariaDB: if a value does not fit, they cut or drop it and only warn. So the warnings after a
//! statement say whether its result is complete.
//!
//! | warning | is a loss |
//! |---|---|
//! | a list was cut, a result was too large for a packet | yes |
//! | a number, text or time did not fit into its column | yes, except for a note that digits were rounded off |
//! | characters were replaced, JSON was too deep, rows were not looked at | yes |
//! | a text is not a number, a date or JSON; division by zero | no: it is what the query makes of it |
//! | there are more than the server keeps, so a loss may be among the others | yes |

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};
use uuid::Uuid;

use super::dialect::Loss;
use crate::database::causes;

/// Numbers whose note is a loss, because the value changed; no other note is a loss.
const NOTES: [u16; 2] = [1916, 1917];

const LIST: Loss = Loss {
    what: "GROUP_CONCAT or JSON_ARRAYAGG cut a list that is longer than max_allowed_packet",
    way_out: causes::PACKET,
};
const PACKET: Loss =
    Loss { what: "the result of a function was larger than max_allowed_packet, and dropped", way_out: causes::PACKET };
const ROOM: Loss = Loss {
    what: "a value did not fit into the type or length that its column has, and was cut",
    way_out: "let the query cast it to a wider type; in a recursive or UNION query, in its first part",
};
const CHARACTERS: Loss = Loss {
    what: "a text has characters that the character set it is converted to lacks, and they were replaced or dropped",
    way_out: "let the query convert only text, and only to utf8mb4",
};
const DEPTH: Loss = Loss {
    what: "JSON is nested deeper than a JSON function of the server reads, and was dropped",
    way_out: causes::DEPTH,
};
const ROWS: Loss =
    Loss { what: "LIMIT ROWS EXAMINED ended the query before all rows were read", way_out: "remove it from the query" };
const COUNT: Loss = Loss {
    what: "it gives more warnings than the server keeps, so a dropped one may say that a value was cut",
    way_out: "let the query give fewer (`SHOW WARNINGS` after it tells which), or, in MySQL, grant \
              SESSION_VARIABLES_ADMIN: then the server keeps 65,535",
};
const REST: Loss = Loss {
    what: "a row whose first column has 16 MiB or more looks like the end of all rows",
    way_out: "let the query select provided_id first",
};

/// The loss of the last statement, if any.
pub(super) async fn loss(connection: &mut MySqlConnection) -> sqlx::Result<Option<Loss>> {
    match told(connection).await {
        Ok(told) => Ok(told),
        Err(error @ (sqlx::Error::Database(_) | sqlx::Error::Io(_) | sqlx::Error::Tls(_))) => Err(error),
        // What came is not an answer to this question.
        Err(_) => Ok(Some(REST)),
    }
}

async fn told(connection: &mut MySqlConnection) -> sqlx::Result<Option<Loss>> {
    // In this order: a SELECT would begin a new list of warnings.
    let given: usize = text(connection, "SHOW COUNT(*) WARNINGS").await?.parse().unwrap_or(usize::MAX);
    let (mut kept, mut lost) = (0, None);
    let mut warnings = sqlx::raw_sql("SHOW WARNINGS").fetch(&mut *connection);
    while let Some(warning) = warnings.try_next().await? {
        kept += 1;
        lost = lost.or(of(warning.try_get_unchecked(0)?, warning.try_get_unchecked(1)?));
    }
    drop(warnings);
    // Rows left over from the query could be read as these answers; none of them can be this random sign.
    let sign = Uuid::now_v7().to_string();
    if text(connection, &format!("SELECT '{sign}'")).await? != sign {
        return Ok(Some(REST));
    }
    Ok(lost.or((given > kept).then_some(COUNT)))
}

/// The single value of an answer.
async fn text(connection: &mut MySqlConnection, question: &str) -> sqlx::Result<String> {
    sqlx::raw_sql(AssertSqlSafe(question.to_owned())).fetch_one(connection).await?.try_get_unchecked(0)
}

/// The loss that a warning means. The warning's text is never used: it may contain the value.
fn of(level: &str, number: u16) -> Option<Loss> {
    if level == "Note" && !NOTES.contains(&number) {
        return None;
    }
    match number {
        1260 => Some(LIST),
        1256 | 1301 => Some(PACKET),
        1264 | 1265 | 1366 | 1406 | 1916 | 1917 => Some(ROOM),
        1300 | 1977 | 3854 | 3988 => Some(CHARACTERS),
        4040 => Some(DEPTH),
        1931 => Some(ROWS),
        _ => None,
    }
}
