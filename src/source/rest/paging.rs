//! How to ask an API for its pages.

use super::pointer::Pointer;
use crate::http::{PassRules, Position, Walk};

/// How to ask for pages.
#[derive(Debug)]
pub struct Paging {
    /// How a page is named.
    pub kind: PagingKind,
    /// The parameter that names the page; empty: the usual one.
    pub page_parameter: String,
    /// The parameter of the page size; empty: no size is asked for.
    pub size_parameter: String,
    /// Records per page; the server may give fewer.
    pub size: usize,
    /// Where a page has the total number of records, if it has it.
    pub total: Option<Pointer>,
}

/// How a page is named.
#[derive(Debug)]
pub enum PagingKind {
    /// Not at all: there is one page.
    None,
    /// By the number of records before it.
    Offset,
    /// By its number; the first page has this number.
    Page(usize),
    /// By the cursor at this pointer of the page before it.
    Cursor(Pointer),
}

impl Paging {
    /// The parameters that ask for a page.
    pub(super) fn query(&self, position: &Position) -> Vec<(&str, String)> {
        let named = |usual| if self.page_parameter.is_empty() { usual } else { self.page_parameter.as_str() };
        let page = match &self.kind {
            PagingKind::None => return Vec::new(),
            PagingKind::Offset => Some((named("offset"), position.offset.to_string())),
            PagingKind::Page(first) => Some((named("page"), (first + position.number - 1).to_string())),
            PagingKind::Cursor(_) => position.cursor.clone().map(|cursor| (named("cursor"), cursor)),
        };
        let size = (self.size_parameter.as_str(), self.size.to_string());
        Some(size).filter(|(name, _)| !name.is_empty()).into_iter().chain(page).collect()
    }

    /// Where a page has the cursor of the next page.
    pub(super) fn cursor(&self) -> Option<&Pointer> {
        match &self.kind {
            PagingKind::None | PagingKind::Offset | PagingKind::Page(_) => None,
            PagingKind::Cursor(pointer) => Some(pointer),
        }
    }

    /// The rules of a pass. What an API calls its count may be that of one page.
    pub(super) fn rules(&self, side_by_side: usize) -> PassRules {
        let trust_total = self.total.is_some();
        let walk = match &self.kind {
            PagingKind::None | PagingKind::Cursor(_) => Walk::ByCursor,
            PagingKind::Offset | PagingKind::Page(_) if trust_total => Walk::ByTotal { side_by_side, is_doubted: true },
            PagingKind::Offset | PagingKind::Page(_) => Walk::ToShortPage,
        };
        PassRules { walk, trust_total }
    }
}
