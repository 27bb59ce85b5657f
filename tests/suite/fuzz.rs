//! The fuzz targets and what was found with them, each input by its file.

use std::{fs, path::Path};

use rstest::rstest;

#[path = "../fuzz/src/lib.rs"]
mod targets;

use targets::TARGETS;

#[rstest]
fn every_input_of_a_target_passes(#[values(0, 1, 2, 3, 4, 5)] number: usize) {
    let (name, target) = TARGETS[number];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut inputs: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    for input in inputs {
        let text = fs::read(&input).unwrap();
        std::panic::catch_unwind(|| target(&text)).unwrap_or_else(|_| panic!("with {}", input.display()));
    }
}

#[test]
fn every_target_is_tried() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut names: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}
