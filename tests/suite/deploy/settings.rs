//! An installation edits one file, `base/settings.yaml`, and every overlay follows it.

use std::{collections::BTreeSet, fs, path::Path};

use rstest::rstest;
use tempfile::TempDir;

use super::{build, build_in, deploy, read, run};

const FILE: &str = "base/settings.yaml";

/// Another value for each setting.
const OTHER: &str = r#"spec:
  namespace: explo-eu
  image: registry.example/explo-sync:9
  config: |
    [source]
    url = "mysql://reader@db.example:3307/crm"
  query: |
    select 1 as provided_id
  egress:
    - to:
        - ipBlock: {cidr: 192.0.2.7/32}
      ports:
        - {protocol: TCP, port: 3307}
  env:
    - {name: HTTPS_PROXY, value: "http://proxy.example:3128"}
  firstLoad: 77
  monitoring: observability
  pushgateway: http://push.example:8080
  curl: registry.example/curl:1
"#;

/// Parts of manifests that come from the settings; none may stay when these change.
const BEFORE: [&str; 14] = [
    "namespace: explo-sync\n",
    ": explo-sync:0.1.0",
    "postgres",
    "api.explo.co",
    "billing_email",
    "5432",
    "port: 53\n",
    "443",
    "0.0.0.0",
    "create=2500",
    "name: monitoring",
    "monitoring.svc",
    "curlimages",
    "ledger",
];

/// A setting that is a text of several lines.
pub(super) fn text(name: &str) -> String {
    let settings = read(&format!("kubernetes/{FILE}"));
    let (_, rest) = settings.split_once(&format!("\n  {name}: |\n")).unwrap();
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix("    ").unwrap_or_default()).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

/// The manifests' directory with other settings, and nothing else edited.
fn edited() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let (success, said) = run("cp", &["-r", deploy("kubernetes/.").to_str().unwrap(), copy.path().to_str().unwrap()]);
    assert!(success, "{said}");
    let settings = fs::read_to_string(copy.path().join(FILE)).unwrap();
    let (head, spec) = settings.split_once("spec:\n").unwrap();
    assert_eq!(keys(spec), keys(OTHER.strip_prefix("spec:\n").unwrap()));
    fs::write(copy.path().join(FILE), [head, OTHER].concat()).unwrap();
    copy
}

fn keys(spec: &str) -> BTreeSet<&str> {
    let is_key = |line: &&str| line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #");
    spec.lines().filter(is_key).map(|line| line.split(':').next().unwrap()).collect()
}

/// The name of the `ConfigMap`, which contains a hash of its content.
fn config_map(manifests: &str) -> &str {
    let (_, rest) = manifests.split_once("name: explo-sync-").unwrap();
    rest.lines().next().unwrap()
}

#[rstest]
#[case::namespace("overlays/namespace", &[])]
#[case::cronjob("overlays/cronjob", &["image: registry.example/explo-sync:9", "value: http://proxy.example:3128"])]
#[case::cronjob_pushgateway("overlays/cronjob-pushgateway", &[
    "image: registry.example/explo-sync:9", "value: http://proxy.example:3128", "image: registry.example/curl:1",
    "value: http://push.example:8080", "kubernetes.io/metadata.name: observability",
])]
#[case::deployment("overlays/deployment", &[
    "image: registry.example/explo-sync:9", "value: http://proxy.example:3128",
    "kubernetes.io/metadata.name: observability",
])]
#[case::deployment_podmonitor("overlays/deployment-podmonitor", &[
    "image: registry.example/explo-sync:9", "value: http://proxy.example:3128",
    "kubernetes.io/metadata.name: observability",
])]
#[case::first_load("overlays/first-load", &[
    "image: registry.example/explo-sync:9", "value: http://proxy.example:3128", "- create=77",
])]
fn an_overlay_follows_the_one_file(#[case] kustomization: &str, #[case] own: &[&str]) {
    let copy = edited();
    let (before, after) = (build(kustomization), build_in(copy.path(), kustomization));
    let shared = [
        "  name: explo-eu",
        "url = \"mysql://reader@db.example:3307/crm\"",
        "select 1 as provided_id",
        "cidr: 192.0.2.7/32",
        "- port: 3307",
    ];
    for part in shared.iter().chain(own) {
        assert!(!before.contains(part) && after.matches(part).count() == 1, "{part} in {after}");
    }
    let resources = after.split("---\n").count();
    assert_eq!(after.matches("\n  namespace: explo-eu\n").count(), resources - 1, "all but the Namespace: {after}");
    for part in BEFORE {
        assert!(!after.contains(part), "{part} in {after}");
    }
    assert!(!after.contains("kind: Settings"), "it is not for the cluster");
    let (old, new) = (config_map(&before), config_map(&after));
    let pods = usize::from(kustomization != "overlays/namespace");
    assert!(old != new && after.matches(new).count() == 1 + pods, "a new configuration starts new pods: {new}");
}

#[test]
fn each_part_that_must_change_is_there_before() {
    let overlays = fs::read_dir(deploy("kubernetes/overlays")).unwrap();
    let all: String =
        overlays.map(|overlay| build_in(Path::new("/"), overlay.unwrap().path().to_str().unwrap())).collect();
    for part in BEFORE {
        assert!(all.contains(part), "{part}");
    }
}
