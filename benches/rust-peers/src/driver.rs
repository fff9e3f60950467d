//! Runs one workload once and prints one line of JSON: `peer-NAME WORKLOAD WORKERS TASKS SECONDS`; `peer-NAME version`
//! names the peer.
//!
//! Exit status: 0, 1 for a wrong result, 2 for a wrong call, 3 for a workload that the peer does not run.

use std::process::ExitCode;

use nix::sys::resource::{getrusage, UsageWho};

use crate::measure::Run;
use crate::{workloads, Pool, Unsupported};

const PER_TASK: &str = "ns/task";

/// The body of every binary in `bin/`.
pub fn main<P: Pool>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["version"] {
        println!("{}", version::<P>());
        return ExitCode::SUCCESS;
    }
    let Some((workload, mut run)) = parse::<P>(&arguments) else {
        let names: Vec<_> = table::<P>().iter().map(|workload| workload.name).collect();
        eprintln!("usage: WORKLOAD WORKERS TASKS SECONDS, or: version\nworkloads: {}", names.join(" "));
        return ExitCode::from(2);
    };
    if let Err(Unsupported(why)) = (workload.body)(&mut run) {
        eprintln!("{why}");
        return ExitCode::from(3);
    }
    if run.tasks == 0 {
        eprintln!("too few tasks for {}", workload.name);
        return ExitCode::from(2);
    }
    if workload.unit == PER_TASK {
        run.value = run.wall_ns / run.tasks as f64;
    }
    println!("{}", json::<P>(&workload, &run));
    ExitCode::SUCCESS
}

struct Workload {
    name: &'static str,
    /// `PER_TASK`: the driver divides the wall time; else the workload computes its value.
    unit: &'static str,
    body: fn(&mut Run) -> Result<(), Unsupported>,
}

fn table<P: Pool>() -> [Workload; 14] {
    let row = |name, unit, body| Workload { name, unit, body };
    [
        row("collect", PER_TASK, workloads::collect::<P>),
        row("windows", PER_TASK, workloads::windows::<P>),
        row("many", PER_TASK, workloads::many::<P>),
        row("execute", PER_TASK, workloads::execute::<P>),
        row("round_trip", PER_TASK, workloads::round_trip::<P>),
        row("producers", PER_TASK, workloads::producers::<P>),
        row("fib", PER_TASK, workloads::fib::<P>),
        row("inside", PER_TASK, workloads::inside::<P>),
        row("inside_execute", PER_TASK, workloads::inside_execute::<P>),
        row("one_us", "wall/ideal", workloads::one_us::<P>),
        row("sleepers", "wall/plain", workloads::sleepers::<P>),
        row("memory", "B/task", workloads::memory::<P>),
        row("memory_execute", "B/task", workloads::memory_execute::<P>),
        row("idle", "us CPU/s", workloads::idle::<P>),
    ]
}

fn parse<P: Pool>(arguments: &[String]) -> Option<(Workload, Run)> {
    let [name, workers, tasks, seconds] = arguments else { return None };
    let workload = table::<P>().into_iter().find(|workload| workload.name == name)?;
    let count = |text: &str| text.parse().ok().filter(|&count: &usize| count > 0);
    let run = Run {
        workers: count(workers)?,
        tasks: count(tasks)?,
        window: seconds.parse().ok().filter(|&seconds: &f64| seconds > 0.0 && seconds.is_finite())?,
        ..Run::default()
    };
    Some((workload, run))
}

/// The version that Cargo.lock pins is the one in this binary.
fn version<P: Pool>() -> String {
    let name = format!("name = \"{}\"", P::CRATE);
    let mut lines = include_str!("../Cargo.lock").lines().skip_while(|line| *line != name);
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1)).expect("the crate in Cargo.lock");
    format!("{} {} {}", P::CRATE, version, P::PART).trim_end().to_owned()
}

fn json<P: Pool>(workload: &Workload, run: &Run) -> String {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    let nests = ["fib", "inside"].contains(&workload.name);
    let fields = [
        format!("\"workload\": \"{}\"", workload.name),
        format!("\"workers\": {}", run.workers),
        format!("\"tasks\": {}", run.tasks),
        format!("\"value\": {:.3}", run.value),
        format!("\"unit\": \"{}\"", workload.unit),
        format!("\"wall_ns\": {:.0}", run.wall_ns),
        format!("\"cpu_ns\": {:.0}", run.cpu_ns),
        format!("\"p50_ns\": {:.0}", run.p50_ns),
        format!("\"p99_ns\": {:.0}", run.p99_ns),
        format!("\"wakeups_per_s\": {:.1}", run.wakeups),
        format!("\"max_rss_kib\": {}", usage.max_rss()),
        format!("\"minor_faults\": {}", usage.minor_page_faults()),
        format!("\"voluntary_switches\": {}", usage.voluntary_context_switches()),
        format!("\"involuntary_switches\": {}", usage.involuntary_context_switches()),
        format!("\"future_per_call\": {}", P::NESTS_WITH_FUTURES || !nests),
        "\"language\": \"Rust\"".to_owned(),
    ];
    format!("{{{}}}", fields.join(", "))
}
