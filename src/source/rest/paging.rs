//! How an API is asked for one page after the other.

use super::pointer::Pointer;
use crate::http::{PassRules, Position, Walk};

/// How pages are asked for.
#[derive(Debug)]
pub struct Paging {
    /// What says which page.
    pub kind: PagingKind,
    /// The parameter's name; empty: the usual one.
    pub page_parameter: String,
    /// That of the size; empty: no size is asked for.
    pub size_parameter: String,
    /// Records asked for at once; the server may give fewer.
    pub size: usize,
    /// Where a page says how many records there are; nothing: it doesn't.
    pub total: Option<Pointer>,
}

/// What says which page.
#[derive(Debug)]
pub enum PagingKind {
    /// Nothing: there is one.
    None,
    /// How many records are before it.
    Offset,
    /// Its number, counted from this one.
    Page(usize),
    /// What stands here in the page before it.
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

    /// Where a page names the next one.
    pub(super) fn cursor(&self) -> Option<&Pointer> {
        match &self.kind {
            PagingKind::None | PagingKind::Offset | PagingKind::Page(_) => None,
            PagingKind::Cursor(pointer) => Some(pointer),
        }
    }

    /// The way from page to page. What an API calls its count may be that of a page.
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
