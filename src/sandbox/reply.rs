//! A call and its answer, and how the answer is delivered.

use serde::Serialize;
use serde_json::json;

/// The end of an HTML page.
const PAGE_END: &str = "</body></html>\n";

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'a str,
    /// With the query.
    pub path: &'a str,
    /// What follows `Token ` in the header `Explo-Authorization`; for the upstream list, `Bearer ` in `Authorization`.
    pub token: Option<&'a str>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; never sent if the answer is dropped or hung.
    pub status: u16,
    /// Names in lower case. Has `content-length` only if that is to be wrong.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes as sent, compressed if a header says so.
    pub body: Vec<u8>,
    /// How it is delivered.
    pub delivery: Delivery,
    /// Whether the call was refused.
    pub(super) is_refusal: bool,
}

/// How an answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Normally.
    Whole,
    /// The connection ends after the body, which is shorter than `content-length` promised.
    Cut,
    /// The connection ends without an answer.
    Dropped,
    /// No answer comes, and the connection stays.
    Hung,
    /// One byte at a time, slowly.
    Dripped,
    /// In chunks: the body repeated this many times.
    Repeated(usize),
}

impl<'a> Request<'a> {
    /// The path without its query, and the query.
    pub(super) fn parts(&self) -> (&'a str, &'a str) {
        self.path.split_once('?').unwrap_or((self.path, ""))
    }
}

impl Reply {
    /// An answer in JSON.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::of(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
    }

    /// An answer in the shape of the web framework's own errors.
    pub(super) fn detail(status: u16, detail: &str) -> Self {
        Self::json(status, &json!({"detail": detail}))
    }

    /// An HTML page.
    pub(super) fn html(status: u16, text: &str) -> Self {
        let page = format!("<!doctype html>\n<html><body><h1>{text}</h1>{PAGE_END}");
        Self::of(status, "text/html; charset=utf-8", page.into_bytes())
    }

    /// With one more header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Delivered in this way.
    pub(super) fn by(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// Marks the answer as a refusal, even if its status is a success.
    pub(super) fn refused(self) -> Self {
        Self { is_refusal: true, ..self }
    }

    /// With one more member at the end of a JSON object, or one more line at the end of a page.
    pub(super) fn telling(mut self, key: &str, value: &str) -> Self {
        let (end, told) = match self.body.last() {
            Some(b'}') => ("}", format!(",{}:{}}}", json!(key), json!(value))),
            Some(_) | None => (PAGE_END, format!("<p>{key}: {value}</p>{PAGE_END}")),
        };
        if self.body.ends_with(end.as_bytes()) {
            self.body.truncate(self.body.len() - end.len());
            self.body.extend(told.bytes());
        }
        self
    }

    fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body, delivery: Delivery::Whole, is_refusal: status >= 400 }
    }
}
