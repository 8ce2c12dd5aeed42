//! The workspace keeps its own conventions.

#[test]
fn tidy() {
    let findings = xtask::tidy::check(&xtask::root()).unwrap();
    assert!(
        findings.is_empty(),
        "run `cargo xtask tidy`:\n{findings:#?}"
    );
}
