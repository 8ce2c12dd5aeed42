//! What users can write, and what is said when they err.

use exectrace_reader::{EventType, GoState, ProcState, Time, WallTime};

use super::*;

#[track_caller]
fn bound(text: &str) -> TimeBound {
    text.parse().unwrap()
}

#[test]
fn relative_times() {
    let cases = [
        ("1.5s", 1_500_000_000),
        ("200ms", 200_000_000),
        ("10us", 10_000),
        ("10\u{b5}s", 10_000),
        ("10\u{3bc}s", 10_000),
        ("5ns", 5),
        ("+5ns", 5),
        (" 5ns ", 5),
        ("0s", 0),
        (".5s", 500_000_000),
        ("2.s", 2_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1h2m3.000000004s", 3_723_000_000_004),
        ("1.9999999999999999999999999999999999999s", 1_999_999_999),
        ("0.3333333333333333m", 19_999_999_999),
        ("5124095h", 5_124_095 * 3_600_000_000_000),
    ];
    for (text, nanos) in cases {
        assert_eq!(bound(text), TimeBound::Relative(nanos), "{text}");
    }
}

#[test]
fn absolute_times() {
    assert_eq!(bound("0"), TimeBound::Absolute(Time(0)));
    assert_eq!(bound("-7"), TimeBound::Absolute(Time(-7)));
    assert_eq!(
        bound("2029860738368"),
        TimeBound::Absolute(Time(2_029_860_738_368))
    );
}

#[test]
fn wall_times() {
    let cases = [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("2026-11-22T00:42:58.502059355Z", 1_795_308_178, 502_059_355),
        ("2026-11-22T01:42:58.5+01:00", 1_795_308_178, 500_000_000),
        ("2026-11-21 16:42:58-08:00", 1_795_308_178, 0),
        ("2000-02-29t00:00:00z", 951_782_400, 0),
        ("1969-12-31T23:59:59.9999999999Z", -1, 999_999_999),
        ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
        ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
    ];
    for (text, seconds, nanos) in cases {
        assert_eq!(
            bound(text),
            TimeBound::Wall(WallTime::new(seconds, nanos)),
            "{text}"
        );
    }
}

#[test]
fn wall_times_are_the_inverse_of_printing() {
    for seconds in (-5_000_000_000i64..20_000_000_000).step_by(86_399 * 97) {
        let wall = WallTime::new(seconds, seconds.rem_euclid(1_000_000_000));
        assert_eq!(bound(&wall.to_string()), TimeBound::Wall(wall));
    }
}

#[test]
fn wrong_times_say_what_is_accepted() {
    use TimeBoundErrorKind::{Form, Negative, NoSuchDate, NoUnit, OutOfRange};
    let cases = [
        ("", Form),
        ("soon", Form),
        ("1.5", NoUnit),
        ("1s5", NoUnit),
        ("5 s", Form),
        ("5S", Form),
        ("1.2.3s", Form),
        (".s", Form),
        ("-5s", Negative),
        ("99999999999999999999", OutOfRange),
        ("99999999999999999999ns", OutOfRange),
        ("9999999999h", OutOfRange),
        ("5124095h2000h", OutOfRange),
        ("2026-11-22", Form),
        ("2026-11-22T00:42:58", Form),
        ("2026-11-22T00:42:58.Z", Form),
        ("2026-11-22T00:42:58Zulu", Form),
        ("2026-1-22T00:42:58Z", Form),
        ("2026-02-29T00:00:00Z", NoSuchDate),
        ("1900-02-29T00:00:00Z", NoSuchDate),
        ("2026-13-01T00:00:00Z", NoSuchDate),
        ("2026-00-01T00:00:00Z", NoSuchDate),
        ("2026-04-31T00:00:00Z", NoSuchDate),
        ("2026-01-01T24:00:00Z", NoSuchDate),
        ("2026-01-01T00:00:60Z", NoSuchDate),
        ("2026-01-01T00:00:00+24:00", NoSuchDate),
        ("2026-01-01T00:00:00+0100", Form),
    ];
    for (text, kind) in cases {
        let error = text.parse::<TimeBound>().unwrap_err();
        assert_eq!(error.kind, kind, "{text}");
        let message = error.to_string();
        assert!(message.contains("200ms"), "{message}");
        assert!(message.contains(&format!("{text:?}")), "{message}");
    }
}

#[test]
fn kinds() {
    let cases = [
        ("StateTransition", KindFilter::Kind("StateTransition")),
        ("statetransition", KindFilter::Kind("StateTransition")),
        ("Log", KindFilter::Kind("Log")),
        // Also a section of the format, which is not shown as such.
        ("Sync", KindFilter::Kind("Sync")),
        ("CPUSample", KindFilter::Kind("StackSample")),
        ("GoBlock", KindFilter::EventType(EventType::GoBlock)),
        (
            "gcsweepbegin",
            KindFilter::EventType(EventType::GCSweepBegin),
        ),
        (
            "HeapObjectFree",
            KindFilter::EventType(EventType::HeapObjectFree),
        ),
        (
            "Goroutine:Running->Waiting",
            KindFilter::Goroutine {
                from: Some(GoState::Running),
                to: Some(GoState::Waiting),
            },
        ),
        (
            "goroutine: * -> syscall",
            KindFilter::Goroutine {
                from: None,
                to: Some(GoState::Syscall),
            },
        ),
        (
            "Proc:Idle->*",
            KindFilter::Proc {
                from: Some(ProcState::Idle),
                to: None,
            },
        ),
    ];
    for (text, filter) in cases {
        assert_eq!(text.parse(), Ok(filter), "{text}");
    }
}

#[test]
fn every_kind_and_every_timed_event_has_a_name() {
    for kind in exectrace_wire::SPECS.iter().filter(|spec| spec.is_timed()) {
        assert_eq!(
            kind.name.parse(),
            Ok(KindFilter::EventType(kind.event_type)),
            "a kind of the model hides the event {}",
            kind.name
        );
    }
}

#[test]
fn wrong_kinds_say_what_is_accepted() {
    for (text, hint) in [
        ("", "GoBlock"),
        ("GoBlok", "GoBlock"),
        // Sections and records of the format are not events that are shown.
        ("Strings", "StateTransition"),
        ("EventBatch", "StateTransition"),
        ("Goroutine:Running", "Goroutine:Running->Waiting"),
        ("Goroutine:Running->Idle", "Waiting"),
        (
            "Proc:Waiting->Idle",
            "Undetermined, NotExist, Running, Idle",
        ),
        ("Thread:*->*", "Goroutine:Running->Waiting"),
    ] {
        let message = text.parse::<KindFilter>().unwrap_err().to_string();
        assert!(message.contains(hint), "{message}");
        assert!(message.contains(&format!("{text:?}")), "{message}");
    }
}

#[test]
fn wrong_patterns_are_shown() {
    let error = "net/http(".parse::<Grep>().unwrap_err().to_string();
    assert!(error.contains("net/http("), "{error}");
    assert!(error.contains("backslash"), "{error}");
}
