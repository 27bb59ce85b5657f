//! Pages of the listing, of which every token is kept, so that none of another customer is ever taken for the demo
//! customer's.

use std::borrow::Cow;

use super::demo::{Answer, Demo, PREFIX, answer};
use crate::{
    explo::{Ask, Client, Endpoint, Error, ListingVersion, Page, Shown},
    model::json,
};

/// One page.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The tokens in order.
    pub(super) tokens: Vec<String>,
    pub(super) total: Option<u64>,
    /// Whether it has `total_count` and `count`.
    pub(super) totals: [bool; 2],
}

/// The first page, and what follows from the last one.
pub(super) struct Ends {
    pub(super) first: Listed,
    /// The last token of all.
    pub(super) last: Option<String>,
    /// How many customers there are by these pages; `None` if the total names a last page that does not exist.
    pub(super) shown: Option<usize>,
}

/// The largest page, as documented.
pub(super) const LARGEST: usize = 1000;

impl Demo<'_> {
    /// Reads one page.
    pub(super) async fn page(
        &mut self,
        client: &Client,
        version: ListingVersion,
        query: &[(&str, String)],
    ) -> Result<Answer<Listed>, Error> {
        let mut records = Vec::new();
        let read = |body: &[u8]| {
            records.clear();
            let mut keep = |token: &str, id: Option<&str>, properties: &Cow<'_, str>| {
                let id = id.filter(|id| id.starts_with(PREFIX) || self.is_id(Some(id)));
                let properties = id.map(|_| properties.clone().into_owned());
                records.push((token.to_owned(), id.map(str::to_owned), properties.unwrap_or_default()));
            };
            let page = Page::read(body, version, &mut |shown| match shown {
                Shown::Customer(one) => keep(&one.token, one.provided_id.as_deref(), &one.properties),
                Shown::Partial(one, _) => keep(&one.token, one.provided_id.as_deref(), &"".into()),
            })?;
            let text = str::from_utf8(body).unwrap_or_default();
            let has = |names: [&str; 2]| json::members(text).any(|(key, _)| names.contains(&&*key));
            let totals = [has(["total_count", "totalCount"]), has(["count"; 2])];
            Ok(Some(Listed { tokens: Vec::new(), total: page.total, totals }))
        };
        let ask = Ask { endpoint: Endpoint::Customers, version, query, body: None };
        let answered = answer(client.ask(ask, read).await.0)?;
        let Answer::Shows(mut listed) = answered else { return Ok(answered) };
        for (token, id, properties) in records {
            listed.tokens.push(token.clone());
            match id {
                Some(id) if self.is_id(Some(&id)) => self.seen.listed = Some((token, properties)),
                id => {
                    self.seen.others.insert(token);
                    self.seen.leftovers.extend(id);
                }
            }
        }
        self.seen.has_listing = true;
        Ok(Answer::Shows(listed))
    }

    /// Reads the largest first page that there is, and if it is not all, the last one.
    pub(super) async fn ends(&mut self, client: &Client, sizes: &[&'static str]) -> Result<Answer<Ends>, Error> {
        let query = |number: usize| {
            let sizes = sizes.iter().map(|name| (*name, LARGEST.to_string()));
            [("page", number.to_string())].into_iter().chain(sizes).collect::<Vec<_>>()
        };
        let first = match self.page(client, ListingVersion::V2, &query(1)).await? {
            Answer::Shows(first) => first,
            Answer::Refuses(refused) => return Ok(Answer::Refuses(refused)),
        };
        let (size, total) = (first.tokens.len(), first.total);
        let total = total.map_or(size, |total| usize::try_from(total).unwrap_or(usize::MAX));
        if total <= size || size == 0 {
            let last = first.tokens.last().cloned();
            return Ok(Answer::Shows(Ends { first, last, shown: Some(size) }));
        }
        let before = total.div_ceil(size) - 1;
        let last = match self.page(client, ListingVersion::V2, &query(before + 1)).await? {
            Answer::Shows(page) if page.tokens != first.tokens => page.tokens,
            Answer::Shows(_) | Answer::Refuses(_) => Vec::new(),
        };
        let shown = (!last.is_empty()).then_some(before * size + last.len());
        Ok(Answer::Shows(Ends { first, last: last.into_iter().next_back(), shown }))
    }
}
