//! Lists all customers page by page, with evidence that none is missing; see [`read_all`] for the evidence. v1 sends
//! everything in one answer, which is complete if it can be read.
//!
//! The children of a customer end when their number reaches the first page's total, or with a short page, because
//! `total_count` may be the number of all customers.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use super::{
    Error, PageProgress, Unusable,
    client::{Client, ListingRules},
    page::{Page, Shown},
    wire::ListingVersion,
};
use crate::{
    http::{
        Distinct, Incomplete, LARGEST_ANSWER, PageSummary, Pages, PassRules, Passes, Position, Transport, Walk,
        read_all,
    },
    model::{Gap, Partial},
};

/// How a listing was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    /// How often all pages were read.
    pub passes: usize,
    /// Pages read in all passes.
    pub pages: usize,
}

/// The tokens of all listed customers, as hashes.
#[derive(Debug, Default)]
pub struct ListedTokens(Distinct);

/// The children of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Children {
    /// The ids of the children that have one.
    pub provided_ids: Vec<String>,
    /// The number of children whose id can't be read.
    pub unreadable: usize,
}

/// The pages of all customers, or of one customer's children.
struct Customers<'c, 'o, T> {
    client: &'c Client<T>,
    parent: Option<&'c str>,
    union: Mutex<Union<'o>>,
}

/// Shows every distinct customer once, when its page arrives. Customers are distinguished by token, without a token by
/// id, and without an id by their whole record.
struct Union<'o> {
    tokens: Distinct,
    observe: &'o mut dyn FnMut(Shown<'_, '_>),
}

pub(super) async fn list(
    client: &Client<impl Transport>,
    rules: &ListingRules,
    observe: &mut dyn FnMut(Shown<'_, '_>),
    progress: PageProgress<'_>,
) -> Result<(Listing, ListedTokens), Error> {
    let customers = Customers::new(client, None, observe);
    if rules.version == ListingVersion::V1 {
        customers.number(1, LARGEST_ANSWER).await?;
        progress(1, 1);
        return Ok((Listing { passes: 1, pages: 1 }, customers.tokens()));
    }
    // Not doubted: the meaning of total_count is documented.
    let by_total = Walk::ByTotal { side_by_side: rules.side_by_side, is_doubted: false };
    let walk = if rules.trust_total { by_total } else { Walk::ToEmptyPage };
    let rules = PassRules { walk, trust_total: rules.trust_total };
    let Passes { passes, pages } = read_all(&customers, rules, progress).await?;
    Ok((Listing { passes, pages }, customers.tokens()))
}

/// The children of one customer, page by page.
pub(super) async fn children(
    client: &Client<impl Transport>,
    rules: &ListingRules,
    parent: &str,
) -> Result<Children, Error> {
    let (mut provided_ids, mut unreadable, mut seen) = (Vec::new(), 0, Vec::<PageSummary>::new());
    let mut observe = |shown: Shown<'_, '_>| match shown {
        Shown::Customer(child) => provided_ids.extend(child.provided_id.as_deref().map(str::to_owned)),
        Shown::Partial(Partial { provided_id: None, gap: Gap::Unreadable, .. }, _) => unreadable += 1,
        Shown::Partial(child, _) => provided_ids.extend(child.provided_id.map(Cow::into_owned)),
    };
    let customers = Customers::new(client, Some(parent), &mut observe);
    loop {
        let before = customers.distinct();
        seen.push(customers.number(seen.len() + 1, client.share()).await?);
        let (first, last, distinct) = (&seen[0], &seen[seen.len() - 1], customers.distinct());
        let is_all = first.total.is_some_and(|total| distinct as u64 >= total);
        if is_all && rules.trust_total || last.records < first.records || distinct == before {
            break;
        }
    }
    drop(customers);
    Ok(Children { provided_ids, unreadable })
}

/// The first page of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstPage {
    /// Customers on this page.
    pub customers: usize,
    /// The total that the page states.
    pub total: Option<u64>,
    /// Whether it is the whole listing.
    pub is_all: bool,
}

impl<T: Transport> Client<T> {
    /// Reads the first page only. If it lacks a value that a listing needs, it fails as the listing would.
    pub async fn first_page(&self, observe: &mut dyn FnMut(Shown<'_, '_>)) -> Result<FirstPage, Error> {
        let rules = self.settings.listing;
        let PageSummary { records, total, .. } = Customers::new(self, None, observe).number(1, LARGEST_ANSWER).await?;
        if rules.trust_total && total.is_none() && rules.version == ListingVersion::V2 {
            return Err(Incomplete::Untold { distinct: records }.into());
        }
        let is_all = rules.trust_total && total == Some(records as u64);
        Ok(FirstPage { customers: records, total, is_all })
    }
}

impl ListedTokens {
    /// Whether a customer with this token was listed.
    #[must_use]
    pub fn has(&self, token: &str) -> bool {
        self.0.has(token)
    }
}

impl<'c, 'o, T: Transport> Customers<'c, 'o, T> {
    fn new(client: &'c Client<T>, parent: Option<&'c str>, observe: &'o mut dyn FnMut(Shown<'_, '_>)) -> Self {
        Self { client, parent, union: Mutex::new(Union { tokens: Distinct::default(), observe }) }
    }

    fn tokens(self) -> ListedTokens {
        ListedTokens(self.union.into_inner().unwrap_or_else(PoisonError::into_inner).tokens)
    }

    async fn number(&self, number: usize, most: usize) -> Result<PageSummary, Error> {
        let version = self.client.settings.listing.version;
        let read = |body: &[u8]| {
            let mut union = self.union.lock().map_err(|_| Unusable::Shape)?;
            union.tokens.sum();
            let Page { total, customers } = Page::read(body, version, &mut |shown| union.observe(shown))?;
            union.tokens.expect(total.unwrap_or_default());
            let all = (version == ListingVersion::V1).then_some(customers as u64);
            Ok(PageSummary {
                records: customers,
                total: all.or(total),
                next: None,
                sum: union.tokens.sum(),
                bytes: body.len(),
            })
        };
        Ok(self.client.page(self.parent, (number, most), read).await?.unwrap_or_default())
    }
}

impl<T: Transport> Pages for Customers<'_, '_, T> {
    type Error = Error;

    async fn page(&self, position: &Position) -> Result<PageSummary, Error> {
        self.number(position.number, position.most).await
    }

    fn distinct(&self) -> usize {
        self.union.lock().map_or(0, |union| union.tokens.count())
    }
}

impl Union<'_> {
    fn observe(&mut self, shown: Shown<'_, '_>) {
        let (token, provided_id, record) = match &shown {
            Shown::Customer(customer) => (&customer.token, &customer.provided_id, ""),
            Shown::Partial(partial, record) => (&partial.token, &partial.provided_id, *record),
        };
        let token = Some(&**token).filter(|token| !token.is_empty());
        if self.tokens.insert(token.or(provided_id.as_deref()).unwrap_or(record)) {
            (self.observe)(shown);
        }
    }
}
