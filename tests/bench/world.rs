//! The tenants, the customers and the parts of a run that the benches of its cost share: of the tenants one in fifty differs.

use std::{collections::BTreeMap, hint::black_box, io};

use explo_sync::{
    compare::{Fingerprints, Layouts, Rules},
    explo::{Listing, ListingVersion, Page, Shown},
    memory::Memory,
    model::{Object, Row, Tenant},
    plan::{Census, Extent, Plan},
    reconciler::Run,
    report::{Exit, Report, Style, write_json, write_text},
    sandbox::{Api, Request, Store},
    tenants::Index,
};
use tokio::time::Instant;

#[path = "../suite/support/derived.rs"]
mod derived;

use derived::derived;

const PER_PAGE: usize = 1000;

/// The properties of a tenant; `seats` tells it from another version of itself.
fn properties(n: usize, seats: usize) -> String {
    format!(r#"{{"account_id": {}, "plan": "enterprise", "region": "eu-west-1", "seats": {seats}}}"#, 100_000 + n)
}

fn tenant(n: usize) -> Tenant<'static> {
    Tenant {
        provided_id: format!("{n:08x}-5f2c-4a7e-9a31-0123456789ab").into(),
        name: Some(format!("Northwind Analytics {n}").into()),
        emails: Some(vec![format!("ops{n}@tenant.example").into(), format!("billing{n}@tenant.example").into()]),
        group_tags: Some(vec!["sales".into(), "eu".into()]),
        properties: Some(Object::Whole(properties(n, n % 500).into())),
        mapping: Some(Object::Whole(r#"{"40":"212","134":"313"}"#.into())),
        is_demo_group: Some(n.is_multiple_of(20)),
        hierarchy_level_name: Some("Customer".into()),
        ..Tenant::default()
    }
}

/// Rows as a source gives them.
pub fn rows(n: usize) -> Vec<Row<'static>> {
    (0..n).map(tenant).map(Ok).collect()
}

/// The pages of the listing. Of a hundred tenants one is not there, and one has another number of seats.
pub fn pages(of: usize) -> Vec<String> {
    let customers = (0..of).filter(|n| n % 100 != 73).map(|n| {
        let mut customer = derived(&tenant(n));
        customer.token = format!("0a7b1c2d-{n:08x}");
        if n % 100 == 37 {
            customer.properties = serde_json::from_str(&properties(n, 999)).unwrap();
        }
        customer
    });
    let store = Store::new(customers);
    let pages = store.customers().len().div_ceil(PER_PAGE);
    let mut api = Api::new(store, 0);
    let mut page = |number: usize| {
        let path = format!("/v2/api/customers/?page={number}&page_size={PER_PAGE}");
        let request = Request { method: "GET", path: &path, token: Some("team-token"), body: b"" };
        String::from_utf8(api.answer(&request, Instant::now()).body).unwrap()
    };
    (1..=pages).map(&mut page).collect()
}

pub fn index(rows: &[Row<'_>]) -> Index {
    let mut index = Index::new(Fingerprints::new(7));
    for row in rows {
        index.insert(row);
    }
    index
}

/// A report in which every tenant is to be made.
pub fn report(n: usize) -> Report {
    let plan = compare(index(&rows(n)), &[]);
    Report {
        config: None,
        instance: "default".to_owned(),
        run_id: String::new(),
        dry_run: true,
        source: "postgres://db.internal/app".to_owned(),
        base_url: "https://api.example/".to_owned(),
        requests_per_minute: 120,
        calls_made: BTreeMap::new(),
        run: Run {
            is_whole: true,
            due: plan.due(&Memory::default(), 0, false, usize::MAX),
            plan,
            listing: Listing::default(),
            asked: BTreeMap::new(),
            skipped: std::collections::BTreeMap::new(),
            limits: BTreeMap::new(),
            held: Vec::new(),
            over: Vec::new(),
            held_next: Vec::new(),
            applied: None,
        },
        unrecorded: None,
    }
}

pub fn fingerprint(rows: &[Row<'_>]) -> u64 {
    let (fingerprints, mut layouts) = (Fingerprints::new(7), Layouts::default());
    rows.iter().flatten().map(|tenant| fingerprints.of_tenant(tenant, &mut layouts)).fold(0, u64::wrapping_add)
}

pub fn decode(pages: &[String]) {
    for page in pages {
        let read = Page::read(page.as_bytes(), ListingVersion::V2, &mut |customers| {
            black_box(customers);
        });
        black_box(read).unwrap();
    }
}

pub fn compare(index: Index, pages: &[String]) -> Plan {
    let memory = Memory::default();
    let mut census = Census::new(index, Rules::default(), &memory, Extent::All);
    for page in pages {
        Page::read(page.as_bytes(), ListingVersion::V2, &mut |shown| match shown {
            Shown::Customer(customer) => census.observe(customer),
            Shown::Partial(..) => unreachable!(),
        })
        .unwrap();
    }
    census.close().finish()
}

pub fn render_text(report: &Report) -> io::Result<()> {
    write_text(report, Style { values: true, all: true }, &mut io::sink())
}

pub fn render_json(report: &Report) -> io::Result<()> {
    write_json(report, Exit::Success, true, &mut io::sink())
}
