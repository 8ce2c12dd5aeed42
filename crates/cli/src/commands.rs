//! The subcommands, and what they have in common.

pub(crate) mod assemble;
pub(crate) mod blocking;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod dump;
pub(crate) mod flame;
pub(crate) mod gc;
pub(crate) mod goroutines;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod pprof;
pub(crate) mod recover;
pub(crate) mod regions;
pub(crate) mod rewrite;
pub(crate) mod salvage;
pub(crate) mod sched;
pub(crate) mod stw;
pub(crate) mod tasks;
pub(crate) mod timeline;
pub(crate) mod validate;
pub(crate) mod wakes;

use crate::{
    args::{Cli, Command, Global, TraceArgs},
    error::{Failure, Outcome},
    input::{self, Expected, Input, OnDamage, Source},
};

/// Runs the command that the arguments name.
pub(crate) fn run(cli: &Cli) -> Result<Outcome, Failure> {
    match &cli.command {
        Command::Info(args) => info::run(args, &cli.global),
        Command::Dump(args) => dump::run(args, &cli.global),
        Command::Goroutines(args) => goroutines::run(args, &cli.global),
        Command::Sched(args) => sched::run(args, &cli.global),
        Command::Blocking(args) => blocking::run(args, &cli.global),
        Command::Wakes(args) => wakes::run(args, &cli.global),
        Command::Regions(args) => regions::run(args, &cli.global),
        Command::Tasks(args) => tasks::run(args, &cli.global),
        Command::Gc(args) => gc::run(args, &cli.global),
        Command::Stw(args) => stw::run(args, &cli.global),
        Command::Timeline(args) => timeline::run(args, &cli.global),
        Command::Pprof(args) => pprof::run(args, &cli.global),
        Command::Flame(args) => flame::run(args, &cli.global),
        Command::Assemble(args) => assemble::run(args, &cli.global),
        Command::Recover(args) => recover::run(args, &cli.global),
        Command::Demo(args) => demo::run(args, &cli.global),
        Command::Rewrite(args) => rewrite::run(args, &cli.global),
        Command::Validate(args) => validate::run(args, &cli.global),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Opens the trace that the arguments name, and records it first where they say so.
pub(crate) fn open(args: &TraceArgs, global: &Global) -> Result<Input, Failure> {
    let on_damage = if args.salvage {
        OnDamage::Tolerate
    } else {
        OnDamage::Fail
    };
    match (&args.source, &args.record) {
        (source, None) => input::open(source, Expected::Binary, on_damage, !global.quiet),
        (Source::Http(address), Some(path)) => {
            input::record(address, path, !global.quiet)?;
            input::open(
                &Source::File(path.clone()),
                Expected::Binary,
                on_damage,
                false,
            )
        }
        (_, Some(_)) => Err(Failure::Usage(
            "-o keeps what an http:// address sends; this trace is not read from one".to_owned(),
        )),
    }
}
