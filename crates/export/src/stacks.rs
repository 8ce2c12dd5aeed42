//! The rendered text of the stacks of a generation, kept for reuse.

use exectrace_reader::{Event, EventKind, Generation, Stack};

/// The text of cached stacks takes at most this many bytes, see [`StackCache`].
const MAX_TEXT: usize = 32 << 20;

/// Stacks with an id from here on are not cached.
const MAX_ID: usize = 1 << 20;

/// A range of the cached text; `NOT_CACHED` if the stack is not there.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

const NOT_CACHED: Span = Span { start: 1, end: 0 };

/// The rendered text of stacks, by id.
///
/// An event has a stack more often than not, stacks are most of the text of a trace, and a few
/// thousand of them make up a generation: so each is rendered once and copied thereafter.
///
/// Memory is bounded by [`MAX_TEXT`] plus the text of one stack plus 8 bytes for each of
/// [`MAX_ID`] ids, 40 MiB in all; beyond, stacks are rendered each time. Real generations stay
/// well below both: their ids are dense, and 10,000 stacks make about 10 MB.
#[derive(Debug, Default)]
pub(crate) struct StackCache {
    generation: Option<Generation>,
    spans: Vec<Span>,
    text: Vec<u8>,
}

impl StackCache {
    /// Forgets everything if the event begins a generation. MUST see every sync, otherwise stacks
    /// of one generation are taken for those of another.
    #[inline]
    pub(crate) fn observe(&mut self, event: &Event<'_>) {
        if event.event_type().is_none() && matches!(event.kind(), EventKind::Sync(_)) {
            self.clear();
        }
    }

    #[cold]
    fn clear(&mut self) {
        self.generation = None;
        self.spans.clear();
        self.text.clear();
    }

    /// Appends the text of `stack` to `out`; `render` makes it if it is not cached.
    #[inline]
    pub(crate) fn append(
        &mut self,
        out: &mut Vec<u8>,
        stack: Stack<'_>,
        render: impl FnOnce(&mut Vec<u8>, Stack<'_>),
    ) {
        let id = usize::try_from(stack.id()).unwrap_or(usize::MAX);
        if self.generation == Some(stack.generation())
            && let Some(span) = self.spans.get(id)
            && span.start <= span.end
        {
            out.extend_from_slice(&self.text[span.start as usize..span.end as usize]);
            return;
        }
        self.render(out, stack, id, render);
    }

    #[cold]
    fn render(
        &mut self,
        out: &mut Vec<u8>,
        stack: Stack<'_>,
        id: usize,
        render: impl FnOnce(&mut Vec<u8>, Stack<'_>),
    ) {
        if self.generation != Some(stack.generation()) {
            self.clear();
            self.generation = Some(stack.generation());
        }
        let begin = out.len();
        render(out, stack);
        if id >= MAX_ID || self.text.len() >= MAX_TEXT {
            return;
        }
        let start = self.text.len();
        self.text.extend_from_slice(&out[begin..]);
        // A stack is at most 128 frames of two strings of 1 KiB, so both ends are far below 2^32.
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(self.text.len())) else {
            return;
        };
        if self.spans.len() <= id {
            self.spans.resize(id + 1, NOT_CACHED);
        }
        self.spans[id] = Span { start, end };
    }
}
