//! One page of the listing, read in one pass: each customer is shown as soon as it is parsed, and dropped.
//!
//! Therefore customers may have been shown when the rest of the page turns out to be unusable. They were complete, and
//! a page that is read again shows them again. A record that can't be read completely affects only its own customer.

use std::borrow::Cow;

use super::{
    Unusable,
    listed::{self, Layouts, flag, text},
    wire::{self, ListingVersion},
};
use crate::model::{Customer, Partial, Scan, json};

/// What a page states besides its customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The number of customers on all pages, if the server states it.
    pub total: Option<u64>,
    /// The number of customers on this page.
    pub customers: usize,
}

/// The values of an envelope; `null` counts as missing.
#[derive(Debug, Default)]
struct Told<'a> {
    succeeded: Option<bool>,
    /// By the spelling of the key: `total_count`, `totalCount`, `count`.
    totals: [Option<Cow<'a, str>>; 3],
    /// The number of customers, if they are in this version's place.
    customers: Option<usize>,
    /// There are customers in the other version's place.
    shows_others: bool,
}

/// What is shown of a page.
#[derive(Debug)]
pub enum Shown<'s, 'a> {
    /// A customer.
    Customer(&'s Customer<'a>),
    /// A customer whose record can't be read completely, and the text of the record.
    Partial(Partial<'a>, &'a str),
}

type Show<'s> = &'s mut dyn FnMut(Shown<'_, '_>);

impl Page {
    /// Reads a page and shows its customers, one after the other.
    pub fn read(body: &[u8], version: ListingVersion, show: Show<'_>) -> Result<Self, Unusable> {
        match wire::text(body) {
            Err(Unusable::Unreadable(wire::NOT_UTF8)) => {
                let not_utf8 = Unusable::Unreadable(wire::NOT_UTF8);
                let mended = wire::mended(body).ok_or(not_utf8)?;
                Self::read_text(&mended, version, show).map_err(|unusable| match unusable {
                    Unusable::Unreadable(_) | Unusable::Shape => not_utf8,
                    Unusable::Refusal => unusable,
                })
            }
            text => Self::read_text(text?, version, show),
        }
    }

    fn read_text(text: &str, version: ListingVersion, show: Show<'_>) -> Result<Self, Unusable> {
        let mut scan = Scan::new(text);
        let told = envelope(&mut scan, version, show).and_then(|told| Ok(scan.end().map(|()| told)?));
        told.map_err(|_| wire::why_unusable(text, levels_above(version)))?.page(version)
    }
}

/// The number of levels above a customer's values.
fn levels_above(version: ListingVersion) -> usize {
    match version {
        ListingVersion::V1 => 3,
        ListingVersion::V2 => 4,
    }
}

/// Each spelling of a key may occur once; two spellings may occur together.
fn envelope<'a>(scan: &mut Scan<'a>, version: ListingVersion, show: Show<'_>) -> Result<Told<'a>, Unusable> {
    if !scan.enter(b'{')? {
        return Err(Unusable::Shape);
    }
    let levels = levels_above(version) + json::MAX_DEPTH - 1;
    let (mut told, mut seen) = (Told::default(), [false; 6]);
    let mut is_first = true;
    while let Some(key) = scan.key(is_first)? {
        is_first = false;
        let known = ["success", "total_count", "totalCount", "count", "results", "customers"];
        let known = known.iter().position(|known| *known == key);
        if known.is_some_and(|known| std::mem::replace(&mut seen[known], true)) {
            return Err(Unusable::Shape);
        }
        match (&*key, version) {
            ("results", ListingVersion::V2) => told.customers = results(scan, levels, show)?,
            ("customers", ListingVersion::V1) => told.customers = list(scan, show)?,
            ("success", _) => {
                let success = scan.value(levels)?;
                told.succeeded = (success != "null").then(|| flag(success) == Some(true));
            }
            ("total_count", _) => told.totals[0] = text(scan.value(levels)?)?,
            ("totalCount", _) => told.totals[1] = text(scan.value(levels)?)?,
            ("count", _) => told.totals[2] = text(scan.value(levels)?)?,
            ("customers", ListingVersion::V2) => told.shows_others = is_shown(scan.value(levels)?),
            ("results", ListingVersion::V1) => {
                let results = scan.value(levels)?;
                let customers = || json::members(results).find(|(key, _)| key == "customers");
                told.shows_others = json::is_object(results) && customers().is_some_and(|(_, shown)| is_shown(shown));
            }
            _ => drop(scan.value(levels)?),
        }
    }
    Ok(told)
}

fn is_shown(customers: &str) -> bool {
    !matches!(customers, "[]" | "null")
}

fn results(scan: &mut Scan<'_>, levels: usize, show: Show<'_>) -> Result<Option<usize>, Unusable> {
    if !scan.enter(b'{')? {
        return if scan.value(levels)? == "null" { Ok(None) } else { Err(Unusable::Shape) };
    }
    let (mut customers, mut is_first, mut is_known) = (None, true, false);
    while let Some(key) = scan.key(is_first)? {
        is_first = false;
        match &*key {
            "customers" if std::mem::replace(&mut is_known, true) => return Err(Unusable::Shape),
            "customers" => customers = list(scan, show)?,
            _ => drop(scan.value(levels - 1)?),
        }
    }
    Ok(customers)
}

/// Shows the customers and returns their number; `None` for `null`.
fn list(scan: &mut Scan<'_>, show: Show<'_>) -> Result<Option<usize>, Unusable> {
    if !scan.enter(b'[')? {
        return if scan.value(0)? == "null" { Ok(None) } else { Err(Unusable::Shape) };
    }
    let (mut layouts, mut customer, mut count) = (Layouts::default(), Customer::default(), 0);
    while scan.has_element(count == 0)? {
        show(match listed::next(scan, &mut layouts, &mut customer)? {
            None => Shown::Customer(&customer),
            Some((partial, record)) => Shown::Partial(partial, record),
        });
        count += 1;
    }
    Ok(Some(count))
}

impl Told<'_> {
    fn page(self, version: ListingVersion) -> Result<Page, Unusable> {
        let shows_customers = self.shows_others || self.customers.is_some_and(|customers| customers > 0);
        match (version, self.succeeded) {
            // An answer that shows customers is not quoted.
            (_, Some(false)) | (ListingVersion::V1, None) if !shows_customers => return Err(Unusable::Refusal),
            (_, Some(false)) | (ListingVersion::V1, None) => return Err(Unusable::Shape),
            (ListingVersion::V1, Some(true)) | (ListingVersion::V2, _) => {}
        }
        let total = self.totals.into_iter().flatten().next().and_then(|total| total.parse().ok());
        Ok(Page { total, customers: self.customers.ok_or(Unusable::Shape)? })
    }
}
