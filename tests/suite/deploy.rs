//! What `deploy/` holds is what systemd, Kubernetes and the program itself accept, by their own word.
//!
//! `tests/run` fetches the tools. The units at work, under a booted systemd: `tests/run --systemd`.

mod alerts;
mod dashboard;
mod pushgateway;
mod settings;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use rstest::rstest;
use tempfile::TempDir;

use crate::support::{Database, Kind, Program, sandbox};

/// The highest exposure that a unit may have, in tenths.
const EXPOSURE: u32 = 15;

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether a tool succeeded, and all that it printed.
fn run(tool: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tool).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}: {error}; run the tests with tests/run"));
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A machine's files, as far as systemd looks at them: our units and stand-ins for what they name.
fn machine() -> TempDir {
    let machine = tempfile::tempdir().unwrap();
    let (ours, others, programs) = ("etc/systemd/system", "usr/lib/systemd/system", "usr/bin");
    for directory in [ours, others, programs] {
        fs::create_dir_all(machine.path().join(directory)).unwrap();
    }
    for target in ["basic", "network-online", "shutdown", "sysinit", "timers"] {
        fs::write(machine.path().join(others).join(format!("{target}.target")), "[Unit]\n").unwrap();
    }
    for program in ["explo-sync", "kill"] {
        let path = machine.path().join(programs).join(program);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for unit in ["explo-sync.service", "explo-sync@.service", "explo-sync-once.service", "explo-sync-once.timer"] {
        fs::copy(deploy("systemd").join(unit), machine.path().join(ours).join(unit)).unwrap();
        if unit.ends_with(".service") {
            let drop_ins = machine.path().join(ours).join(format!("{unit}.d"));
            fs::create_dir(&drop_ins).unwrap();
            let password = if unit.contains('@') { "password@.conf" } else { "password.conf" };
            fs::copy(deploy("systemd").join(password), drop_ins.join("password.conf")).unwrap();
        }
    }
    machine
}

/// What systemd has to say about the units of a machine.
fn verdict(machine: &TempDir) -> String {
    let root = format!("--root={}", machine.path().display());
    let units = ["explo-sync.service", "explo-sync@eu.service", "explo-sync-once.service", "explo-sync-once.timer"];
    let (success, said) = run("systemd-analyze", &[&["verify", "--man=no", &root], &units[..]].concat());
    if success { said } else { format!("refused: {said}") }
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    assert_eq!(verdict(&machine()), "");
}

#[test]
fn systemd_would_tell_of_a_mistake_in_a_unit() {
    let machine = machine();
    let unit = machine.path().join("etc/systemd/system/explo-sync.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace("WatchdogSec", "WatchdogSeconds")).unwrap();
    assert!(verdict(&machine).contains("WatchdogSeconds"));
}

#[rstest]
#[case("explo-sync.service")]
#[case("explo-sync@.service")]
#[case("explo-sync-once.service")]
fn a_unit_exposes_little(#[case] unit: &str) {
    let path = deploy("systemd").join(unit);
    let security = |threshold: u32| {
        let threshold = format!("--threshold={threshold}");
        let unit = path.to_str().unwrap();
        run("systemd-analyze", &["security", "--no-pager", "--offline=true", &threshold, unit])
    };
    let (success, table) = security(EXPOSURE);
    assert!(success, "{table}");
    assert!(!security(1).0, "the threshold is looked at");
}

#[test]
fn every_service_is_confined_alike() {
    let confinement = |unit: &str| {
        let text = read(&format!("systemd/{unit}"));
        let (_, rest) = text.split_once("# The rest is the same").unwrap();
        rest.split("[Install]").next().unwrap().trim().to_owned()
    };
    let first = confinement("explo-sync.service");
    assert!(first.lines().count() > 30);
    assert_eq!(first, confinement("explo-sync@.service"));
    assert_eq!(first, confinement("explo-sync-once.service"));
}

/// The manifests of a kustomization, as one stream of YAML.
fn build(kustomization: &str) -> String {
    build_in(&deploy("kubernetes"), kustomization)
}

fn build_in(kubernetes: &Path, kustomization: &str) -> String {
    let path = kubernetes.join(kustomization);
    let (success, said) = run("kubectl", &["kustomize", path.to_str().unwrap()]);
    assert!(success, "{kustomization}: {said}");
    said
}

/// What the schemas of the five newest Kubernetes versions have to say, unknown fields included.
fn violations(manifests: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, manifests).unwrap();
    let file = file.path().to_str().unwrap();
    let (_, version) = run("kubernetes-validate", &["--version"]);
    let newest: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    let versions: Vec<_> = (newest - 4..=newest).flat_map(|minor| ["-k".to_owned(), format!("1.{minor}")]).collect();
    let versions: Vec<_> = versions.iter().map(String::as_str).collect();
    let (success, said) = run("kubernetes-validate", &[&["--strict", "--quiet"], &versions[..], &[file]].concat());
    if success { said } else { format!("refused: {said}") }
}

#[rstest]
#[case("overlays/namespace", &["Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy"])]
#[case("overlays/cronjob", &["Namespace", "ServiceAccount", "ConfigMap", "CronJob", "NetworkPolicy"])]
#[case("overlays/cronjob-pushgateway", &[
    "Namespace", "ServiceAccount", "ConfigMap", "CronJob", "NetworkPolicy", "NetworkPolicy",
])]
#[case("overlays/first-load", &["Namespace", "ServiceAccount", "ConfigMap", "Job", "NetworkPolicy"])]
#[case("overlays/deployment", &[
    "Namespace", "ServiceAccount", "ConfigMap", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy",
    "NetworkPolicy",
])]
#[case("overlays/deployment-podmonitor", &[
    "Namespace", "ServiceAccount", "ConfigMap", "Service", "Deployment", "PodDisruptionBudget", "PodMonitor",
    "NetworkPolicy", "NetworkPolicy",
])]
fn five_kubernetes_versions_accept_the_manifests(#[case] kustomization: &str, #[case] kinds: &[&str]) {
    let manifests = build(kustomization);
    let built: Vec<_> = manifests.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    assert_eq!(built, kinds);
    // Kubernetes has no schema of the Prometheus Operator's kinds.
    let own: Vec<_> = manifests.split("---\n").filter(|one| !one.contains("kind: PodMonitor")).collect();
    assert_eq!(violations(&own.join("---\n")), "");
}

#[test]
fn the_pod_monitor_reads_the_port_that_each_pod_has() {
    let manifests = build("overlays/deployment-podmonitor");
    let label = "matchLabels:\n      app.kubernetes.io/name: explo-sync\n";
    assert!(
        manifests
            .contains(&format!("podMetricsEndpoints:\n  - interval: 30s\n    port: ops\n  selector:\n    {label}"))
    );
    assert!(manifests.contains("- containerPort: 9464\n          name: ops\n"));
}

#[test]
fn every_kubernetes_version_would_tell_of_a_mistake_in_a_manifest() {
    let said = violations(&build("overlays/cronjob").replace("backoffLimit", "backoffLimits"));
    assert_eq!(said.matches("'backoffLimits' was unexpected").count(), 5, "{said}");
}

#[rstest]
#[case("overlays/cronjob")]
#[case("overlays/cronjob-pushgateway")]
#[case("overlays/deployment")]
#[case("overlays/first-load")]
fn a_pod_gets_nothing_that_it_does_not_need(#[case] kustomization: &str) {
    let manifests = build(kustomization);
    for line in [
        "automountServiceAccountToken: false",
        "enableServiceLinks: false",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "runAsNonRoot: true",
        "runAsUser: 65532",
        "type: RuntimeDefault",
        "- ALL",
        "secretName: explo-sync",
    ] {
        assert!(manifests.lines().any(|found| found.trim() == line), "{line}");
    }
    assert!(!manifests.contains("secretKeyRef"), "secrets are files");
}

/// The run ends itself, else its job ends it, and the next one begins after that.
#[test]
fn a_job_ends_before_the_next_one_begins() {
    let manifests = build("overlays/cronjob");
    let seconds = |key: &str| -> u32 {
        let line = manifests.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
        line.unwrap_or_else(|| panic!("{key} is not set")).parse().unwrap()
    };
    assert!(manifests.contains("schedule: '*/5 * * * *'"));
    assert!(manifests.contains("- --max-duration\n            - 4m\n            - --ok\n            - 3,5,75\n"));
    let (run, grace) = (4 * 60, 20);
    assert!(grace < seconds("terminationGracePeriodSeconds"));
    assert!(run + grace < seconds("activeDeadlineSeconds"));
    assert!(seconds("activeDeadlineSeconds") + seconds("terminationGracePeriodSeconds") <= 5 * 60);
    assert!(seconds("startingDeadlineSeconds") < 5 * 60);
}

#[tokio::test]
async fn the_program_accepts_the_configuration_and_the_arguments_of_the_manifests() {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (id int primary key, name text, billing_email text)").await;
    database.execute("insert into tenants values (1, 'One', 'one@t.example')").await;
    let sandbox = sandbox([]).await;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    fs::write(&config, settings::text("config")).unwrap();
    fs::write(directory.path().join("query.sql"), settings::text("query")).unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, "pg-secret\n").unwrap();
    let secret = secret.path().to_str().unwrap();
    let program = Program::default()
        .with("EXPLO_SYNC_CONFIG", &config)
        .with("EXPLO_SYNC__SOURCE__URL", &database.url)
        .with("EXPLO_SYNC__SOURCE__PASSWORD_FILE", secret)
        .with("EXPLO_SYNC__LEDGER__URL", &database.url)
        .with("EXPLO_SYNC__LEDGER__PASSWORD_FILE", secret)
        .with("EXPLO_SYNC__EXPLO__TOKEN_FILE", secret)
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
        .with("EXPLO_SYNC__OPS__LISTEN", "0.0.0.0:9464");
    let (code, report) = program.sync(&["--max-duration", "4m", "--ok", "3,5,75"]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &1.into()), "{report}");
    assert!(database.has_table("explo_customers").await, "the ledger is kept");
    let first = ["--allow", "create=2500", "--lock-timeout", "5m", "--ok", "3"];
    let list = first.map(|argument| format!("        - {argument}\n").replace(" 3\n", " \"3\"\n")).concat();
    assert!(build("overlays/first-load").contains(&format!("args:\n        - sync\n{list}")));
    assert_eq!(program.sync(&first).await.0, 0);
}

/// Everything that cargo looks at reaches the image's build; that it compiles is seen by building it.
#[test]
fn the_image_is_built_from_all_that_cargo_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = tempfile::tempdir().unwrap();
    let ignored = read("Dockerfile.dockerignore");
    assert!(ignored.lines().any(|line| line == "*"));
    for name in ignored.lines().filter_map(|line| line.strip_prefix('!')).filter(|name| root.join(name).exists()) {
        std::os::unix::fs::symlink(root.join(name), context.path().join(name)).unwrap();
    }
    let manifest = context.path().join("Cargo.toml");
    let arguments = ["metadata", "--format-version=1", "--no-deps", "--offline", "--locked", "--manifest-path"];
    let (success, said) = run("cargo", &[&arguments[..], &[manifest.to_str().unwrap()]].concat());
    assert!(success, "{said}");
}
