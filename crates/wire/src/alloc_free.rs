//! The data of AllocFree: what its experimental batches hold and what its events' numbers mean.
//!
//! The experiment traces spans, objects and goroutine stacks of the heap (`GODEBUG=traceallocfree=1`
//! before the trace starts). Its events carry ids instead of addresses; the [`Info`] batch at the
//! start of the trace says how to convert them. Types of objects have ids too, listed in [`Types`]
//! batches at the end of each generation (format specification, section 2.3; Go:
//! `runtime/traceallocfree.go`).
//!
//! ```
//! use exectrace_wire::alloc_free::{Batch, Info};
//!
//! // The data of an ExperimentalBatch with exp=1.
//! let Batch::Info(info) = Batch::parse(b"\x01\x80\x80\x80\xb6\xb4\xcd\x01\x80@\x08\x80\x10")? else {
//!     panic!("the first byte says that this is the information on the heap");
//! };
//! assert_eq!((info.page_bytes, info.min_align, info.min_stack_bytes), (8192, 8, 2048));
//! // HeapObject dt=38 id=444420 type=23
//! assert_eq!(info.object_address(444_420), Some(info.min_address + 444_420 * 8));
//! # Ok::<(), exectrace_wire::alloc_free::AllocFreeError>(())
//! ```

use core::fmt;

use crate::varint::{self, VarintError};

/// The first byte of a batch of types.
pub const KIND_TYPES: u8 = 0;

/// The first byte of the batch with the information on the heap.
pub const KIND_INFO: u8 = 1;

/// The data of an experimental batch of AllocFree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Batch<'a> {
    /// A part of the generation's table of types.
    Types(Types<'a>),
    /// How ids become addresses, for the whole trace.
    Info(Info),
}

impl<'a> Batch<'a> {
    /// Parses the data of a batch: the information at once, types as they are iterated over.
    ///
    /// # Errors
    ///
    /// [`AllocFreeError`] if the data is of no known kind or its numbers are malformed.
    pub fn parse(data: &'a [u8]) -> Result<Self, AllocFreeError> {
        let mut cursor = Cursor {
            rest: data,
            offset: 0,
        };
        match data.first() {
            Some(&KIND_TYPES) => {
                cursor.advance(1);
                Ok(Self::Types(Types(cursor)))
            }
            Some(&KIND_INFO) => {
                cursor.advance(1);
                cursor.info().map(Self::Info)
            }
            Some(&kind) => Err(cursor.error(AllocFreeErrorKind::UnknownKind(kind))),
            None => Err(cursor.error(AllocFreeErrorKind::Empty)),
        }
    }
}

/// How the ids of the experiment's events become addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Info {
    /// The lowest address that the heap can have; all ids count from here.
    pub min_address: u64,
    /// Bytes of a page: the unit of the ids of spans and of their sizes.
    pub page_bytes: u64,
    /// The least alignment of an object in bytes: the unit of the ids of objects.
    pub min_align: u64,
    /// Bytes of the smallest goroutine stack: the unit of the ids of stacks.
    pub min_stack_bytes: u64,
}

impl Info {
    /// The address of a span (Span, SpanAlloc, SpanFree), or `None` if there is no such address.
    #[must_use]
    pub fn span_address(&self, id: u64) -> Option<u64> {
        self.address(id, self.page_bytes)
    }

    /// The address of an object (HeapObject, HeapObjectAlloc, HeapObjectFree), or `None` if there
    /// is no such address.
    #[must_use]
    pub fn object_address(&self, id: u64) -> Option<u64> {
        self.address(id, self.min_align)
    }

    /// The lower end of a stack (GoroutineStack, GoroutineStackAlloc, GoroutineStackFree), or
    /// `None` if there is no such address.
    #[must_use]
    pub fn stack_address(&self, id: u64) -> Option<u64> {
        self.address(id, self.min_stack_bytes)
    }

    /// Bytes of a span of so many pages, or `None` if they are more than 2^64.
    #[must_use]
    pub fn span_bytes(&self, pages: u64) -> Option<u64> {
        pages.checked_mul(self.page_bytes)
    }

    /// The id of the span at an address, or `None` if none can be there.
    #[must_use]
    pub fn span_id(&self, address: u64) -> Option<u64> {
        self.id(address, self.page_bytes)
    }

    /// The id of the object at an address, or `None` if none can be there.
    #[must_use]
    pub fn object_id(&self, address: u64) -> Option<u64> {
        self.id(address, self.min_align)
    }

    /// The id of the stack at an address, or `None` if none can be there.
    #[must_use]
    pub fn stack_id(&self, address: u64) -> Option<u64> {
        self.id(address, self.min_stack_bytes)
    }

    fn address(&self, id: u64, unit: u64) -> Option<u64> {
        id.checked_mul(unit)?.checked_add(self.min_address)
    }

    fn id(&self, address: u64, unit: u64) -> Option<u64> {
        let distance = address.checked_sub(self.min_address)?;
        (distance.checked_rem(unit)? == 0).then(|| distance / unit)
    }

    /// Writes the data of the batch to the start of `out` and returns its length, or `None` if
    /// `out` is too short.
    #[must_use]
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        *out.first_mut()? = KIND_INFO;
        write_numbers(
            out,
            1,
            [
                self.min_address,
                self.page_bytes,
                self.min_align,
                self.min_stack_bytes,
            ],
        )
    }
}

/// The types of a batch, in file order. An error ends the iteration.
#[derive(Clone, Debug)]
pub struct Types<'a>(Cursor<'a>);

/// A type of heap objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRecord<'a> {
    /// The type's id in its generation; never 0, which stands for an unknown type.
    pub id: u64,
    /// The address of the type's description in the program.
    pub address: u64,
    /// Bytes of a value of the type.
    pub bytes: u64,
    /// Bytes at the start of a value that can hold pointers.
    pub pointer_bytes: u64,
    /// The type's name, not necessarily UTF-8.
    pub name: &'a [u8],
}

impl TypeRecord<'_> {
    /// Writes the record to the start of `out` and returns its length, or `None` if `out` is too
    /// short. Records follow a [`KIND_TYPES`] byte.
    #[must_use]
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let numbers = [
            self.id,
            self.address,
            self.bytes,
            self.pointer_bytes,
            self.name.len() as u64,
        ];
        let at = write_numbers(out, 0, numbers)?;
        let end = at + self.name.len();
        out.get_mut(at..end)?.copy_from_slice(self.name);
        Some(end)
    }
}

impl<'a> Iterator for Types<'a> {
    type Item = Result<TypeRecord<'a>, AllocFreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.rest.is_empty() {
            return None;
        }
        let record = self.0.type_record();
        if record.is_err() {
            self.0.rest = &[];
        }
        Some(record)
    }
}

/// What a span is used for, from the `kindclass` of Span and SpanAlloc (Go: `spanClass` in
/// `runtime/mheap.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanKind {
    /// Heap objects of one size class.
    Heap {
        /// Go's number of the size; 0 for a span of one large object.
        size_class: u64,
        /// Whether the objects hold no pointers.
        no_scan: bool,
    },
    /// Something else: stacks, or memory that is managed by hand.
    Other,
}

impl SpanKind {
    /// The kind behind a `kindclass`, or `None` if it is of a form that Go does not write.
    #[must_use]
    pub const fn from_wire(kindclass: u64) -> Option<Self> {
        match kindclass {
            1 => Some(Self::Other),
            _ if kindclass % 2 == 1 => None,
            _ => Some(Self::Heap {
                size_class: kindclass >> 2,
                no_scan: kindclass & 2 != 0,
            }),
        }
    }

    /// The `kindclass` of the kind. Size classes are small numbers; the upper bits of one above
    /// 2^62 are lost.
    #[must_use]
    pub const fn to_wire(self) -> u64 {
        match self {
            Self::Heap {
                size_class,
                no_scan,
            } => size_class << 2 | (no_scan as u64) << 1,
            Self::Other => 1,
        }
    }
}

/// Bytes of a stack of the given `order` (GoroutineStack, GoroutineStackAlloc), or `None` if there
/// is no such size. The order is the bit length of the size: 13 for 4096.
#[must_use]
pub const fn stack_bytes(order: u64) -> Option<u64> {
    match order {
        0 => Some(0),
        1..=64 => Some(1 << (order - 1)),
        _ => None,
    }
}

/// The order of a stack of so many bytes, a power of two.
#[must_use]
pub const fn stack_order(bytes: u64) -> u64 {
    (u64::BITS - bytes.leading_zeros()) as u64
}

/// Why the data of a batch is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocFreeError {
    /// Offset of the fault in the batch's data, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub kind: AllocFreeErrorKind,
}

/// What is wrong with the data of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocFreeErrorKind {
    /// There is no data, not even a kind.
    Empty,
    /// The first byte is no known kind.
    UnknownKind(u8),
    /// A number is malformed or cut off.
    Number(VarintError),
    /// The data ends inside a type's name, which has this many bytes.
    CutName(u64),
    /// Something follows the information on the heap.
    Trailing,
}

impl fmt::Display for AllocFreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllocFree batch: ")?;
        match self.kind {
            AllocFreeErrorKind::Empty => f.write_str("expected a kind, found no data")?,
            AllocFreeErrorKind::UnknownKind(kind) => {
                write!(f, "expected kind {KIND_TYPES} or {KIND_INFO}, found {kind}")?;
            }
            AllocFreeErrorKind::Number(error) => error.fmt(f)?,
            AllocFreeErrorKind::CutName(n) => {
                write!(f, "expected a name of {n} bytes, found the end of the data")?;
            }
            AllocFreeErrorKind::Trailing => {
                f.write_str("expected the end of the data after four numbers, found more")?;
            }
        }
        write!(f, " (byte {} of its data)", self.offset)
    }
}

impl core::error::Error for AllocFreeError {}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, kind: AllocFreeErrorKind) -> AllocFreeError {
        AllocFreeError {
            offset: self.offset,
            kind,
        }
    }

    fn advance(&mut self, n: usize) {
        self.rest = &self.rest[n..];
        self.offset += n;
    }

    fn number(&mut self) -> Result<u64, AllocFreeError> {
        let (value, n) = varint::read(self.rest)
            .map_err(|error| self.error(AllocFreeErrorKind::Number(error)))?;
        self.advance(n);
        Ok(value)
    }

    fn info(&mut self) -> Result<Info, AllocFreeError> {
        let info = Info {
            min_address: self.number()?,
            page_bytes: self.number()?,
            min_align: self.number()?,
            min_stack_bytes: self.number()?,
        };
        if !self.rest.is_empty() {
            return Err(self.error(AllocFreeErrorKind::Trailing));
        }
        Ok(info)
    }

    fn type_record(&mut self) -> Result<TypeRecord<'a>, AllocFreeError> {
        let (id, address, bytes, pointer_bytes) = (
            self.number()?,
            self.number()?,
            self.number()?,
            self.number()?,
        );
        let length = self.number()?;
        let name = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.get(..length))
            .ok_or_else(|| self.error(AllocFreeErrorKind::CutName(length)))?;
        self.advance(name.len());
        Ok(TypeRecord {
            id,
            address,
            bytes,
            pointer_bytes,
            name,
        })
    }
}

/// Writes numbers from byte `at` of `out` and returns where they end.
fn write_numbers<const N: usize>(out: &mut [u8], at: usize, numbers: [u64; N]) -> Option<usize> {
    numbers.into_iter().try_fold(at, |at, number| {
        Some(at + varint::write(out.get_mut(at..)?, number)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: Info = Info {
        min_address: 0xc0_0000_0000,
        page_bytes: 8192,
        min_align: 8,
        min_stack_bytes: 2048,
    };

    #[test]
    fn information_round_trips_and_every_cut_is_an_error() {
        let mut buffer = [0xff; 60];
        let n = INFO.write(&mut buffer).unwrap();
        let Ok(Batch::Info(found)) = Batch::parse(&buffer[..n]) else {
            panic!("what was written must parse");
        };
        assert_eq!(found, INFO);
        for cut in 0..n {
            assert!(Batch::parse(&buffer[..cut]).is_err());
            assert_eq!(INFO.write(&mut [0; 60][..cut]), None);
        }
        assert_eq!(
            Batch::parse(&buffer[..=n]).unwrap_err(),
            AllocFreeError {
                offset: n,
                kind: AllocFreeErrorKind::Trailing
            }
        );
    }

    #[test]
    fn types_round_trip_and_end_at_the_first_error() {
        let types = [
            TypeRecord {
                id: 1,
                address: 0x47_0000,
                bytes: 24,
                pointer_bytes: 8,
                name: b"[]uint8",
            },
            TypeRecord {
                id: 300,
                address: u64::MAX,
                bytes: 0,
                pointer_bytes: 0,
                name: b"",
            },
        ];
        let mut buffer = [KIND_TYPES; 80];
        let mut ends = vec![1];
        for record in types {
            let at = ends[ends.len() - 1];
            ends.push(at + record.write(&mut buffer[at..]).unwrap());
        }
        let parse = |n: usize| match Batch::parse(&buffer[..n]).unwrap() {
            Batch::Types(types) => types.collect::<Vec<_>>(),
            Batch::Info(_) => panic!("not a batch of types"),
        };
        assert_eq!(parse(ends[2]), types.map(Ok));
        for n in ends[0]..ends[2] {
            let found = parse(n);
            let whole = ends[1..].iter().filter(|end| **end <= n).count();
            assert_eq!(
                found[..whole],
                types[..whole].iter().map(|r| Ok(*r)).collect::<Vec<_>>()
            );
            let at_a_border = ends.contains(&n);
            assert_eq!(found.len(), whole + usize::from(!at_a_border));
            assert_eq!(
                found.iter().filter(|r| r.is_err()).count(),
                found.len() - whole
            );
        }
        assert_eq!(
            parse(ends[1] - 1),
            [Err(AllocFreeError {
                offset: ends[1] - 7,
                kind: AllocFreeErrorKind::CutName(7)
            })]
        );
    }

    #[test]
    fn foreign_data_is_refused() {
        let error = |data: &[u8]| Batch::parse(data).unwrap_err().kind;
        assert_eq!(error(&[]), AllocFreeErrorKind::Empty);
        assert_eq!(error(&[2, 1]), AllocFreeErrorKind::UnknownKind(2));
        assert_eq!(
            error(&[&[KIND_INFO][..], &[0xff; 20]].concat()),
            AllocFreeErrorKind::Number(VarintError::Overflow)
        );
    }

    #[test]
    fn ids_and_addresses_convert_both_ways() {
        let base = INFO.min_address;
        assert_eq!(INFO.span_address(3), Some(base + 3 * 8192));
        assert_eq!(INFO.object_address(3), Some(base + 24));
        assert_eq!(INFO.stack_address(3), Some(base + 6144));
        assert_eq!(INFO.span_bytes(2), Some(16384));
        assert_eq!(INFO.span_id(base + 3 * 8192), Some(3));
        assert_eq!(INFO.object_id(base + 24), Some(3));
        assert_eq!(INFO.stack_id(base + 6144), Some(3));
        // No such thing: below the heap, not aligned, beyond 64 bits.
        assert_eq!(INFO.object_id(base - 8), None);
        assert_eq!(INFO.object_id(base + 4), None);
        assert_eq!(INFO.span_address(u64::MAX), None);
        assert_eq!(INFO.object_address(u64::MAX / 8), None);
        let broken = Info {
            min_align: 0,
            ..INFO
        };
        assert_eq!(broken.object_id(base + 8), None);
    }

    #[test]
    fn sizes_and_kinds_convert_both_ways() {
        assert_eq!((stack_bytes(13), stack_order(4096)), (Some(4096), 13));
        for order in 0..=64 {
            assert_eq!(stack_order(stack_bytes(order).unwrap()), order);
        }
        assert_eq!(stack_bytes(65), None);
        assert_eq!(SpanKind::from_wire(1), Some(SpanKind::Other));
        assert_eq!(SpanKind::from_wire(3), None);
        for wire in [0, 1, 2, 4, 134] {
            assert_eq!(SpanKind::from_wire(wire).unwrap().to_wire(), wire);
        }
        assert_eq!(
            SpanKind::from_wire(10),
            Some(SpanKind::Heap {
                size_class: 2,
                no_scan: true
            })
        );
    }
}
