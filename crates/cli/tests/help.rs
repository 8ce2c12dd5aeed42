//! Help, completions and manual pages: there for every command, and the same each time.

mod common;

use common::{TempDir, run};

const COMMANDS: [&str; 20] = [
    "info",
    "dump",
    "goroutines",
    "sched",
    "blocking",
    "wakes",
    "regions",
    "tasks",
    "gc",
    "stw",
    "timeline",
    "pprof",
    "flame",
    "assemble",
    "recover",
    "rewrite",
    "validate",
    "demo",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples() {
    let help = run(["--help"]);
    for command in COMMANDS {
        assert!(
            help.result().contains(&format!("\n  {command}")),
            "{command}"
        );
        let help = run([command, "--help"]);
        let example = format!("Examples:\n  exectrace {command}");
        assert!(
            help.result().contains(&example),
            "{command}: {}",
            help.stdout
        );
        assert!(
            help.result()
                .lines()
                .all(|line| line.chars().count() <= 100),
            "{command}"
        );
    }
    assert!(help.result().contains("Exit status:"));
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!("exectrace {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(["--version"]).result(), expected);
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(["completions", shell]);
        for command in COMMANDS {
            assert!(script.result().contains(command), "{shell}: {command}");
        }
        assert_eq!(script.result(), run(["completions", shell]).result());
    }
}

#[test]
fn there_is_a_manual_page_a_command() {
    let dir = TempDir::new();
    let pages = dir.path("man/man1");
    assert_eq!(run(["man", "-o", &pages]).result(), "");
    for command in COMMANDS {
        let page = std::fs::read_to_string(format!("{pages}/exectrace-{command}.1")).unwrap();
        assert!(
            page.contains(&format!(".TH exectrace\\-{command} 1"))
                || page.contains(&format!(".TH exectrace-{command} 1")),
            "{page}"
        );
        assert!(
            page.contains(&format!("\\fBexectrace {command}\\fR")),
            "{page}"
        );
    }
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(count, COMMANDS.len() + 1);
    assert!(std::fs::exists(format!("{pages}/exectrace.1")).unwrap());
}
