//! The pages of an API: one call per page, from which only the records are kept.

use std::{borrow::Cow, sync::Mutex};

use reqwest::{Method, StatusCode};

use super::{
    Rest,
    explanation::explanation,
    pointer::{Pointer, characters},
};
use crate::{
    http::{Attempts, Call, Distinct, Failure, Outgoing, PageSummary, Pages, Position, Unusable},
    model::json,
    source::{Error, cell::NOT_UTF8},
};

/// Reads the pages.
pub(super) struct Records<'r, 't> {
    rest: &'r Rest,
    taken: Mutex<Taken<'t>>,
}

/// Gets each record once, with its own id if it has one.
pub(super) type Take<'t> = &'t mut dyn FnMut(Option<&str>, &str);

/// Tells records apart by their own ids; a record without an id, by its whole text.
struct Taken<'t> {
    distinct: Distinct,
    take: Take<'t>,
}

/// The call for one page.
struct PageCall<'r> {
    query: Vec<(&'r str, String)>,
    most: usize,
}

impl<'r, 't> Records<'r, 't> {
    pub(super) fn new(rest: &'r Rest, take: Take<'t>) -> Self {
        Self { rest, taken: Mutex::new(Taken { distinct: Distinct::default(), take }) }
    }

    fn read(&self, body: &[u8]) -> Result<PageSummary, Unusable> {
        let settings = &self.rest.settings;
        let text = text(body);
        let page = json::checked(&text).map_err(|error| match error {
            json::JsonError::Malformed if matches!(text, Cow::Owned(_)) => Unusable::Unreadable("is not UTF-8"),
            json::JsonError::Malformed => Unusable::Unreadable("is not JSON, or cut short"),
            json::JsonError::TooDeep => Unusable::Shape,
        })?;
        let list = settings.records.of(page).filter(|list| list.starts_with('[')).ok_or(Unusable::Shape)?;
        let mut taken = self.taken.lock().map_err(|_| Unusable::Shape)?;
        taken.distinct.sum();
        let mut records = 0;
        for record in json::elements(list) {
            taken.add(&settings.record_id, record);
            records += 1;
        }
        let text = |pointer: &Pointer| characters(pointer.of(page)?);
        let total = settings.paging.total.as_ref().and_then(text).and_then(|total| total.parse().ok());
        let next = settings.paging.cursor().and_then(text).filter(|cursor| !cursor.is_empty());
        Ok(PageSummary { records, total, next, sum: taken.distinct.sum(), bytes: body.len() })
    }
}

/// The text of a page. A mark replaces bytes that are not UTF-8, so that they affect only the values that contain them.
fn text(body: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(
            body.utf8_chunks()
                .flat_map(|chunk| [chunk.valid(), if chunk.invalid().is_empty() { "" } else { NOT_UTF8 }])
                .collect(),
        ),
    }
}

impl Pages for Records<'_, '_> {
    type Error = Error;

    async fn page(&self, position: &Position) -> Result<PageSummary, Error> {
        let settings = &self.rest.settings;
        let own = settings.parameters.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let call = PageCall { query: own.chain(settings.paging.query(position)).collect(), most: position.most };
        match self.rest.caller.call(&call, Attempts::ALL, |body| self.read(body)).await {
            Ok((seen, _)) => Ok(seen),
            // The page is past the end.
            Err(Failure::Status { status: 404, .. }) if position.number > 1 => Ok(PageSummary::default()),
            Err(failure) => Err(self.rest.failed(failure)),
        }
    }

    fn distinct(&self) -> usize {
        self.taken.lock().map_or(0, |taken| taken.distinct.count())
    }
}

impl Taken<'_> {
    fn add(&mut self, record_id: &Pointer, record: &str) {
        let id = record_id.of(record).and_then(characters);
        if self.distinct.insert(id.as_deref().unwrap_or(record)) {
            (self.take)(id.as_deref(), record);
        }
    }
}

impl Call for PageCall<'_> {
    fn name(&self) -> &'static str {
        "source.url"
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { method: Method::GET, path: "", query: &self.query, body: None, most: self.most }
    }

    fn documented(&self) -> &'static str {
        "a list at source.records"
    }

    fn is_own(&self, body: &[u8]) -> bool {
        str::from_utf8(body).is_ok_and(|body| json::checked(body).is_ok())
    }

    fn excerpt(&self, status: StatusCode, body: &[u8]) -> String {
        explanation(status, body)
    }
}
