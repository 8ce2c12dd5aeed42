//! `exectrace pprof`: where goroutines spent their time, for pprof.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};
use exectrace_analysis::{Profile, ProfileKind, ProfileLabels, ProfileOptions, to_pprof};
use flate2::{Compression, write::GzEncoder};

use super::salvage;
use crate::{
    analysis::{self, AnalysisArgs, Loaded},
    args::Global,
    error::{Failure, Outcome},
    output,
};

/// Write where goroutines spent their time as a profile for pprof
#[derive(Debug, Args)]
#[command(after_help = "\
The kinds net, sync, syscall and sched have the values of `go tool trace -pprof`: they leave out
what had not ended when the trace did, and what was before a goroutine first ran. With --all, and in
the other kinds, nothing is left out.

Examples:
  exectrace pprof trace.out --kind sched > sched.pb.gz
  exectrace pprof trace.out --kind wall --label state --from 1s --to 2s > wall.pb.gz
  go tool pprof -http=: wall.pb.gz

The exit status is 1 if the trace is damaged: the profile then has what was read before the damage.")]
pub(crate) struct PprofArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    #[command(flatten)]
    analysis: AnalysisArgs,
}

/// Which profile.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// What to count
    #[arg(long, short, value_name = "KIND")]
    kind: Kind,
    /// Count everything, also what Go's profiles leave out
    #[arg(long)]
    all: bool,
    /// Tell samples apart by these, beside their stacks
    #[arg(long, short, value_name = "LABEL", value_delimiter = ',')]
    label: Vec<Label>,
}

/// What a profile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Blocked on the network
    Net,
    /// Blocked on channels, select and the package sync
    Sync,
    /// In system calls and C code
    Syscall,
    /// Ready to run, waiting for a proc; stacks are those of whoever woke or created the goroutine
    Sched,
    /// Blocked, for whatever reason
    Block,
    /// Not running, for whatever reason
    Offcpu,
    /// All of the time
    Wall,
    /// In mark assists and sweeping, and with the world stopped
    Gc,
    /// Samples of the CPU profiler, if it was on while tracing
    Cpu,
}

/// What tells samples apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Label {
    /// The goroutine's id
    Goroutine,
    /// The function that the goroutine began with
    Function,
    /// The state that the goroutine was in
    State,
    /// Why the goroutine was blocked
    Reason,
}

impl ProfileArgs {
    /// Makes the profile.
    pub(crate) fn profile(&self, loaded: &Loaded) -> Profile {
        let kind = match self.kind {
            Kind::Net => ProfileKind::Net,
            Kind::Sync => ProfileKind::Sync,
            Kind::Syscall => ProfileKind::Syscall,
            Kind::Sched => ProfileKind::Sched,
            Kind::Block => ProfileKind::Block,
            Kind::Offcpu => ProfileKind::OffCpu,
            Kind::Wall => ProfileKind::Wall,
            Kind::Gc => ProfileKind::Gc,
            Kind::Cpu => ProfileKind::Cpu,
        };
        let has = |label| self.label.contains(&label);
        let options = ProfileOptions {
            like_go: kind.is_of_go() && !self.all,
            labels: ProfileLabels {
                goroutine: has(Label::Goroutine),
                function: has(Label::Function),
                state: has(Label::State),
                reason: has(Label::Reason),
            },
        };
        Profile::new(&loaded.store, &loaded.selection, kind, options)
    }

    /// The kind's name.
    pub(crate) fn name(&self) -> String {
        self.kind
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

pub(crate) fn run(args: &PprofArgs, global: &Global) -> Result<Outcome, Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a profile is not for terminals: send it to a file, as in `> profile.pb.gz`".to_owned(),
        ));
    }
    let loaded = analysis::load(&args.analysis, global)?;
    salvage::remark_problems(&loaded, global);
    let profile = args.profile.profile(&loaded);
    let bytes = to_pprof(&loaded.store, &profile);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = gzip.write_all(&bytes).and_then(|()| gzip.finish());
    let compressed = compressed.map_err(|error| Failure::output(output::STDOUT, error))?;
    output::print_bytes(&compressed)?;
    Ok(loaded.outcome())
}
