//! A small reader of pprof's format, independent of our writer.

use std::collections::{BTreeMap, HashMap};

/// A field of a message: a number, or bytes.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    unreachable!()
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (field, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(field)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// Numbers of a repeated field, packed or not.
fn numbers(message: &[u8], tag: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for (found, field) in fields(message) {
        match field {
            _ if found != tag => {}
            Field::Number(number) => numbers.push(number),
            Field::Bytes(mut packed) => {
                while !packed.is_empty() {
                    numbers.push(varint(&mut packed));
                }
            }
        }
    }
    numbers
}

/// A profile as far as tests look at it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Names and units of the values.
    pub(crate) types: Vec<(String, String)>,
    /// Sums of values by the program counters of the stack, leaf first.
    pub(crate) by_stack: BTreeMap<Vec<u64>, Vec<u64>>,
    /// Name of the function and line, by program counter.
    pub(crate) places: BTreeMap<u64, (String, u64)>,
    /// Sums of values by label.
    pub(crate) by_label: BTreeMap<(String, String), Vec<u64>>,
}

pub(crate) fn decode(profile: &[u8]) -> Decoded {
    let messages = |tag: u64| {
        fields(profile)
            .into_iter()
            .filter_map(move |(found, field)| match field {
                Field::Bytes(bytes) if found == tag => Some(bytes),
                _ => None,
            })
    };
    let strings: Vec<String> = messages(6)
        .map(|string| String::from_utf8_lossy(string).into_owned())
        .collect();
    assert_eq!(strings[0], "");
    let one = |message: &[u8], tag| numbers(message, tag).first().copied().unwrap_or(0);
    let text = |message: &[u8], tag| strings[one(message, tag) as usize].clone();
    let functions: HashMap<u64, String> = messages(5)
        .map(|function| (one(function, 1), text(function, 2)))
        .collect();
    let mut addresses: HashMap<u64, u64> = HashMap::new();
    let mut decoded = Decoded::default();
    for location in messages(4) {
        let address = one(location, 3);
        addresses.insert(one(location, 1), address);
        for (tag, field) in fields(location) {
            if let (4, Field::Bytes(line)) = (tag, field) {
                let function = functions[&one(line, 1)].clone();
                decoded.places.insert(address, (function, one(line, 2)));
            }
        }
    }
    decoded.places.remove(&0);
    decoded.types = messages(1)
        .map(|value| (text(value, 1), text(value, 2)))
        .collect();
    for sample in messages(2) {
        let mut stack: Vec<u64> = numbers(sample, 1).iter().map(|id| addresses[id]).collect();
        // Go takes no frame and a frame without an address for the same, and writes either.
        stack.retain(|address| *address != 0);
        let values = numbers(sample, 2);
        assert_eq!(values.len(), decoded.types.len());
        add(decoded.by_stack.entry(stack).or_default(), &values);
        for (tag, field) in fields(sample) {
            if let (3, Field::Bytes(label)) = (tag, field) {
                let value = match one(label, 2) {
                    0 => one(label, 3).to_string(),
                    string => strings[string as usize].clone(),
                };
                let sums = decoded.by_label.entry((text(label, 1), value));
                add(sums.or_default(), &values);
            }
        }
    }
    decoded
}

fn add(sums: &mut Vec<u64>, values: &[u64]) {
    sums.resize(values.len(), 0);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
