//! Ordered events, in Go's form or as JSON.

use exectrace_export::{JsonWriter, ParsedWriter, filter::Filter};
use exectrace_reader::{Event, Options, Reader};

use super::{DumpArgs, Format};
use crate::{
    args::Global,
    commands::salvage,
    error::{Failure, Outcome},
    input::Input,
    output::{Pipelined, STDOUT},
};

/// What the two writers have in common.
trait EventWriter {
    fn write(&mut self, out: &mut Vec<u8>, event: &Event<'_>);
    fn skip(&mut self, event: &Event<'_>);
}

impl EventWriter for ParsedWriter {
    #[inline]
    fn write(&mut self, out: &mut Vec<u8>, event: &Event<'_>) {
        self.write_event(out, event);
    }

    #[inline]
    fn skip(&mut self, event: &Event<'_>) {
        Self::skip(self, event);
    }
}

impl EventWriter for JsonWriter {
    #[inline]
    fn write(&mut self, out: &mut Vec<u8>, event: &Event<'_>) {
        self.write_event(out, event);
    }

    #[inline]
    fn skip(&mut self, event: &Event<'_>) {
        Self::skip(self, event);
    }
}

pub(super) fn dump(
    name: &str,
    input: Input,
    args: &DumpArgs,
    global: &Global,
    out: &mut Pipelined,
) -> Result<Outcome, Failure> {
    let options = Options::default().salvage(args.trace.salvage);
    let mut reader =
        Reader::overlapped(input.bytes, options).map_err(|error| Failure::trace(name, error))?;
    let filter = args.filters.criteria().map(Filter::new);
    match args.format {
        Format::Json => {
            let writer = JsonWriter::new().wall_time(args.wall);
            print(name, &mut reader, filter, writer, out)?;
        }
        _ => print(name, &mut reader, filter, ParsedWriter::new(), out)?,
    }
    salvage::remark(name, &salvage::losses(&reader, &input.cut), global);
    Ok(Outcome::Fine)
}

fn print(
    name: &str,
    reader: &mut Reader<'_>,
    mut filter: Option<Filter>,
    mut writer: impl EventWriter,
    out: &mut Pipelined,
) -> Result<(), Failure> {
    while let Some(event) = reader
        .next_event()
        .map_err(|error| Failure::trace(name, error))?
    {
        if let Some(filter) = &mut filter {
            let matches = filter
                .matches(&event)
                .map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
            if !matches {
                if filter.is_past_end() {
                    break;
                }
                writer.skip(&event);
                continue;
            }
        }
        writer.write(out.buffer(), &event);
        out.pass_on()
            .map_err(|error| Failure::output(STDOUT, error))?;
    }
    Ok(())
}
