//! What the parts of a run cost that are no waiting, for 10,000 and 100,000 tenants of which one in fifty differs.
//!
//! `cargo bench --bench cost`, or for one part `cargo bench --bench cost -- decode`.

#![allow(clippy::unwrap_used, reason = "it fails by panicking")]

use std::{collections::BTreeMap, hint::black_box, io};

use divan::{Bencher, counter::ItemsCount};
use explo_sync::{
    explo::{Listing, ListingVersion, Page},
    model::{Object, Tenant},
    plan::{Comparison, Findings, Fingerprints, Index, Plan, Rules},
    reconciler::Run,
    report::{Exit, Report, Style, write_json, write_text},
};

const SIZES: [usize; 2] = [10_000, 100_000];

const PER_PAGE: usize = 1000;

fn main() {
    divan::main();
}

/// The properties of a tenant; `seats` tells it from another version of itself.
fn properties(n: usize, seats: usize) -> String {
    format!(r#"{{"account_id": {}, "plan": "enterprise", "region": "eu-west-1", "seats": {seats}}}"#, 100_000 + n)
}

fn tenant(n: usize) -> Tenant {
    Tenant {
        provided_id: format!("{n:08x}-5f2c-4a7e-9a31-0123456789ab"),
        name: Some(format!("Northwind Analytics {n}")),
        emails: Some(vec![format!("ops{n}@tenant.example"), format!("billing{n}@tenant.example")]),
        group_tags: Some(vec!["sales".to_owned(), "eu".to_owned()]),
        properties: Some(Object::Whole(properties(n, n % 500))),
        mapping: Some(Object::Whole(r#"{"40":"212","134":"313"}"#.to_owned())),
        is_demo_group: Some(n.is_multiple_of(20)),
        hierarchy_level_name: Some("Customer".to_owned()),
        ..Tenant::default()
    }
}

/// A page of the listing. Of a hundred tenants one is not there, and one has another number of seats.
fn page(first: usize, of: usize) -> String {
    let record = |n: usize| {
        let Tenant { provided_id, name, is_demo_group, .. } = tenant(n);
        let properties = properties(n, if n % 100 == 37 { 999 } else { n % 500 });
        format!(
            r#"{{"token":"0a7b1c2d-{n:08x}","name":"{}","provided_id":"{provided_id}","is_demo_group":{},"emails":["billing{n}@tenant.example","ops{n}@tenant.example"],"group_tags":["eu","sales"],"properties":{properties},"computed_properties":{properties},"access_group":"Production","parent_schema_datasource_mapping":{{"134":"313","40":"212"}},"computed_parent_schema_datasource_mapping":{{"134":"313","40":"212"}},"hierarchy_level":"Customer"}}"#,
            name.unwrap(),
            is_demo_group.unwrap(),
        )
    };
    let records: Vec<_> = (first..of.min(first + PER_PAGE)).filter(|n| n % 100 != 73).map(record).collect();
    format!(r#"{{"total_count":{of},"results":{{"customers":[{}]}}}}"#, records.join(","))
}

fn pages(of: usize) -> Vec<String> {
    (0..of).step_by(PER_PAGE).map(|first| page(first, of)).collect()
}

fn index(tenants: &[Tenant]) -> Index {
    let mut index = Index::new(Fingerprints::new(7));
    for tenant in tenants {
        index.insert(Ok(tenant.clone()));
    }
    index
}

fn plan(index: Index, pages: &[String], findings: &Findings) -> Plan {
    let mut comparison = Comparison::new(index, Rules::default(), findings);
    for page in pages {
        Page::read(page.as_bytes(), ListingVersion::V2, &mut |customer| comparison.observe(customer)).unwrap();
    }
    comparison.finish()
}

fn tenants(n: usize) -> Vec<Tenant> {
    (0..n).map(tenant).collect()
}

#[divan::bench(args = SIZES)]
fn fingerprint(bencher: Bencher<'_, '_>, n: usize) {
    let (tenants, fingerprints) = (tenants(n), Fingerprints::new(7));
    let sum = || tenants.iter().map(|tenant| fingerprints.of_tenant(tenant)).fold(0, u64::wrapping_add);
    bencher.counter(ItemsCount::new(n)).bench_local(sum);
}

#[divan::bench(args = SIZES)]
fn insert(bencher: Bencher<'_, '_>, n: usize) {
    let tenants = tenants(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| index(&tenants));
}

#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, n: usize) {
    let pages = pages(n);
    let read = || {
        for page in &pages {
            let read = Page::read(page.as_bytes(), ListingVersion::V2, &mut |customer| {
                black_box(customer);
            });
            black_box(read).unwrap();
        }
    };
    bencher.counter(ItemsCount::new(n)).bench_local(read);
}

#[divan::bench(args = SIZES)]
fn compare(bencher: Bencher<'_, '_>, n: usize) {
    let (tenants, pages, findings) = (tenants(n), pages(n), Findings::default());
    let bencher = bencher.counter(ItemsCount::new(n)).with_inputs(|| index(&tenants));
    bencher.bench_local_values(|index| plan(index, &pages, &findings));
}

/// A report in which every tenant is to be made.
fn report(n: usize) -> Report {
    let plan = plan(index(&tenants(n)), &[], &Findings::default());
    Report {
        instance: "default".to_owned(),
        run_id: String::new(),
        dry_run: true,
        source: "postgres://db.internal/app".to_owned(),
        base_url: "https://api.example/".to_owned(),
        requests_per_minute: 120,
        calls_made: BTreeMap::new(),
        page_sizes_refused: 0,
        run: Run {
            due: plan.due(&Findings::default(), 0, false, usize::MAX),
            plan,
            listing: Listing::default(),
            skipped: Vec::new(),
            held: Vec::new(),
            applied: None,
        },
        unrecorded: None,
    }
}

#[divan::bench(args = SIZES)]
fn render_text(bencher: Bencher<'_, '_>, n: usize) {
    let report = report(n);
    let style = Style { values: true, all: true };
    bencher.counter(ItemsCount::new(n)).bench_local(|| write_text(&report, style, &mut io::sink()));
}

#[divan::bench(args = SIZES)]
fn render_json(bencher: Bencher<'_, '_>, n: usize) {
    let report = report(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| write_json(&report, Exit::Success, true, &mut io::sink()));
}
