//! Arguments of events, as values.

use exectrace_wire::{
    ArgKind, EventType, GoStatus, GoroutineId, ProcId, ProcStatus, TaskId, ThreadId,
};

/// An argument's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A number that goes on the wire as it is. Given where a string or a stack is due, it is a
    /// raw id, which need not exist.
    Number(u64),
    /// A string, which gets an id of the generation's table.
    Text(Vec<u8>),
    /// A stack, which gets an id of the generation's table.
    Stack(Stack),
}

/// A stack, leaf first. Without frames it is "no stack", id 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stack(pub Vec<FrameSpec>);

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameSpec {
    /// The program counter; `None` for one of its own for each function, file and line.
    pub pc: Option<u64>,
    /// The function's name.
    pub func: String,
    /// The file's name.
    pub file: String,
    /// The line.
    pub line: u64,
}

impl Stack {
    /// No stack.
    pub const NONE: Self = Self(Vec::new());

    /// A stack of calls, leaf first, in `main.go` at lines 10, 20 and so on.
    pub fn calls<'a>(functions: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            functions
                .into_iter()
                .zip(1..)
                .map(|(func, depth)| FrameSpec {
                    pc: None,
                    func: func.to_owned(),
                    file: "main.go".to_owned(),
                    line: 10 * depth,
                })
                .collect(),
        )
    }
}

macro_rules! numbers {
    ($($type:ty: $value:ident => $number:expr),* $(,)?) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                Self::Number($number)
            }
        })*
    };
}
numbers! {
    u64: n => n,
    u32: n => n.into(),
    ThreadId: id => id.0,
    Option<ThreadId>: id => ThreadId::to_wire(id),
    ProcId: id => id.0,
    GoroutineId: id => id.0,
    TaskId: id => id.0,
    GoStatus: status => status.to_wire(),
    ProcStatus: status => status.to_wire(),
}

/// For literals, which are `i32` unless something says otherwise.
impl From<i32> for Arg {
    fn from(n: i32) -> Self {
        Self::Number(n.try_into().expect("an argument is not negative"))
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Arg {
    fn from(text: &[u8]) -> Self {
        Self::Text(text.to_vec())
    }
}

impl From<Stack> for Arg {
    fn from(stack: Stack) -> Self {
        Self::Stack(stack)
    }
}

impl From<&Stack> for Arg {
    fn from(stack: &Stack) -> Self {
        Self::Stack(stack.clone())
    }
}

/// The arguments of an event without its time delta.
///
/// A tuple gives them by position, [`named!`](crate::named) by the names of the event table.
/// Stacks may be left out at the end of a tuple, and anywhere by name.
pub trait Args {
    /// The values in wire order.
    ///
    /// # Panics
    ///
    /// If they do not fit the event's row of the table.
    fn values(self, event_type: EventType) -> Vec<Arg>;
}

impl Args for Vec<Arg> {
    fn values(mut self, event_type: EventType) -> Vec<Arg> {
        let specs = &event_type.spec().args[1..];
        for spec in specs.iter().skip(self.len()) {
            assert_eq!(
                spec.kind,
                ArgKind::Stack,
                "{event_type}: argument {} is missing",
                spec.name
            );
            self.push(Arg::Number(0));
        }
        assert_eq!(
            self.len(),
            specs.len(),
            "{event_type} has too many arguments"
        );
        for (arg, spec) in self.iter().zip(specs) {
            let fits = match arg {
                Arg::Number(_) => true,
                Arg::Text(_) => spec.kind == ArgKind::String,
                Arg::Stack(_) => spec.kind == ArgKind::Stack,
            };
            assert!(
                fits,
                "{event_type}: argument {} cannot be {arg:?}",
                spec.name
            );
        }
        self
    }
}

impl<const N: usize> Args for [(&str, Arg); N] {
    fn values(self, event_type: EventType) -> Vec<Arg> {
        let specs = &event_type.spec().args[1..];
        for (name, _) in &self {
            assert!(
                specs.iter().any(|spec| spec.name == *name),
                "{event_type} has no argument {name}"
            );
        }
        let values = specs.iter().map(|spec| {
            let given = self.iter().find(|(name, _)| *name == spec.name);
            match given {
                Some((_, arg)) => arg.clone(),
                None if spec.kind == ArgKind::Stack => Arg::Number(0),
                None => panic!("{event_type}: argument {} is missing", spec.name),
            }
        });
        values.collect::<Vec<_>>().values(event_type)
    }
}

macro_rules! tuples {
    ($(($($type:ident $field:tt),*))*) => {
        $(impl<$($type: Into<Arg>),*> Args for ($($type,)*) {
            fn values(self, event_type: EventType) -> Vec<Arg> {
                let args: Vec<Arg> = vec![$(self.$field.into()),*];
                args.values(event_type)
            }
        })*
    };
}
tuples! { () (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }

/// Arguments of an event by name: `named! { g: 1, g_seq: 2 }`.
#[macro_export]
macro_rules! named {
    ($($name:ident: $value:expr),* $(,)?) => {
        [$((stringify!($name), $crate::Arg::from($value))),*]
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventType as E;

    #[test]
    fn positional_and_named_arguments_are_the_same() {
        let by_name = named! { stack: Stack::calls(["f"]), new_g: 7 };
        assert_eq!(
            by_name.values(E::GoCreate),
            (7, 0, Stack::calls(["f"])).values(E::GoCreate)
        );
        assert_eq!(
            ("r",).values(E::GoBlock),
            [Arg::Text(b"r".to_vec()), Arg::Number(0)]
        );
    }

    #[test]
    #[should_panic(expected = "GoStart: argument g_seq is missing")]
    fn missing_arguments_are_named() {
        let _ = (1,).values(E::GoStart);
    }

    #[test]
    #[should_panic(expected = "GoStart has no argument seq")]
    fn unknown_names_are_refused() {
        let _ = named! { g: 1, seq: 1 }.values(E::GoStart);
    }

    #[test]
    #[should_panic(expected = "GoStart: argument g cannot be Text")]
    fn a_string_stands_only_for_a_string() {
        let _ = ("x", 1).values(E::GoStart);
    }
}
