//! The part of an error answer that a message may show: the meaning of its status, and the text that explains it. The
//! rest may contain a record, and is never shown.

use reqwest::StatusCode;

use super::pointer::{Pointer, characters};
use crate::{http::excerpt, model::json};

/// Where an answer may explain itself; the first that exists counts.
const EXPLAINING: [&str; 7] =
    ["/message", "/error/message", "/error_description", "/detail", "/title", "/reason", "/error"];

/// The meaning of the status, and the answer's masked explanation.
pub(super) fn explanation(status: StatusCode, body: &[u8]) -> String {
    let meaning = match status {
        StatusCode::INTERNAL_SERVER_ERROR => Some("an unexpected error of its own"),
        StatusCode::BAD_GATEWAY => Some("a service behind it failed"),
        StatusCode::SERVICE_UNAVAILABLE => Some("it is not available"),
        StatusCode::GATEWAY_TIMEOUT => Some("a service behind it did not answer in time"),
        _ => None,
    };
    let text = str::from_utf8(body).ok().and_then(|body| json::checked(body).ok());
    let found = text.and_then(|text| {
        let pointers = EXPLAINING.into_iter().filter_map(Pointer::parse);
        pointers.filter_map(|pointer| characters(pointer.of(text)?)).find(|text| !text.trim().is_empty())
    });
    let explained = found.map(|text| excerpt(text.as_bytes()));
    match (meaning, explained) {
        (Some(meaning), Some(explained)) => format!("{meaning}: {explained}"),
        (Some(meaning), None) => meaning.to_owned(),
        (None, Some(explained)) => explained,
        (None, None) => "it does not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_told_and_a_record_is_not() {
        let told = |status, body: &str| explanation(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        assert_eq!(told(400, r#"{"message":"limit is too large"}"#), "limit is too large");
        assert_eq!(told(403, r#"{"error":{"message":"no s3cret of boss@a.example"}}"#), "no *** of ***");
        assert_eq!(told(502, r#"{"data":[{"iban":"DE02120300000000202051"}]}"#), "a service behind it failed");
        for silent in ["", "<html>", "[]", r#"{"name":"Acme"}"#, r#"{"message":{"name":"Acme"}}"#] {
            assert_eq!(told(400, silent), "it does not say why", "{silent}");
        }
    }
}
