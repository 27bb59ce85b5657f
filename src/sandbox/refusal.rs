//! How a call is refused.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use rand::{RngExt, rngs::SmallRng};
use serde_json::json;

use super::{
    Behaviour, StoreError,
    choice::{FailureShape, Parents, RefusalMark, UnknownId},
    damage::BEGINNING,
    reply::Reply,
    view::{Object, Value},
};

/// The refusal of a call because of the customers or tags.
pub(super) fn refusal(error: &StoreError, behaviour: &Behaviour) -> Reply {
    let (usual, chosen) = match error {
        StoreError::Refused(_) => (400, None),
        StoreError::Parent => match behaviour.parents {
            Parents::Refused => (400, None),
            Parents::Ok => (400, Some(200)),
            Parents::BadRequest => (400, Some(400)),
        },
        StoreError::Unknown(_) => match behaviour.unknown_id {
            UnknownId::Refused => (404, None),
            UnknownId::NotFound => (404, Some(404)),
            UnknownId::BadRequest => (404, Some(400)),
            UnknownId::Ok => (404, Some(200)),
            UnknownId::ServerError => (404, Some(500)),
        },
    };
    let error = error.to_string();
    let documented = |status| {
        let answer = Object::new(behaviour).succeeded(false, behaviour);
        Reply::json(status, &answer.with(["error"; 2], Value::Text(error.as_str().into()))).refused()
    };
    let status = chosen.unwrap_or(usual);
    match behaviour.failure_shape {
        _ if chosen == Some(200) => documented(200),
        FailureShape::Ok => documented(chosen.unwrap_or(200)),
        FailureShape::Status => documented(status),
        FailureShape::Html => Reply::html(status, &error),
        FailureShape::Unknown => Reply::json(status, &json!({"errors": [{"message": error}]})),
    }
}

/// Adds the `request_id` or `timestamp` to a refusal; any other answer stays as it is.
pub(super) fn marked(reply: Reply, behaviour: &Behaviour, elapsed: Duration, random: &mut SmallRng) -> Reply {
    let (keys, value) = match behaviour.refusal_mark {
        _ if !reply.is_refusal => return reply,
        RefusalMark::Nothing => return reply,
        RefusalMark::RequestId => (["request_id", "requestId"], format!("{:032x}", random.random::<u128>())),
        RefusalMark::Timestamp => (["timestamp"; 2], timestamp(elapsed)),
    };
    reply.telling(keys[behaviour.keys as usize], &value)
}

fn timestamp(elapsed: Duration) -> String {
    let micros = i64::try_from((BEGINNING + elapsed).as_micros()).unwrap_or_default();
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}
