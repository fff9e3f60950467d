//! Runs inputs of a target without the fuzzer, and prints each as a program while it runs: `replay turns FILE…`. With
//! `--random N SEED` instead of files it runs N inputs that it makes up.

use std::env;

fn main() {
    let mut args = env::args().skip(1);
    let run: fn(&[u8]) = match args.next().as_deref() {
        Some("turns") => tpexec_fuzz::turns::run,
        Some("threads") => tpexec_fuzz::threads::run,
        other => panic!("no target {other:?}"),
    };
    let rest: Vec<String> = args.collect();
    if rest.first().is_some_and(|first| first == "--random") {
        let number = |i: usize| rest[i].parse::<u64>().expect("a number");
        return random(run, number(1), number(2));
    }
    env::set_var(tpexec_fuzz::VERBOSE, "1");
    for file in rest {
        eprintln!("{file}:");
        run(&std::fs::read(&file).expect("a file"));
    }
}

fn random(run: fn(&[u8]), n: u64, seed: u64) {
    let mut state = seed * 2 + 1;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    let kept = env::temp_dir().join(format!("tpexec-fuzz-{seed}"));
    eprintln!("the input that runs is in {}", kept.display());
    for i in 0..n {
        let mut bytes: Vec<u8> = vec![0, next(), next(), next()];
        let steps = 10 + usize::from(next()) % 80;
        bytes.extend((0..steps * 4).map(|_| next()));
        // Kept in case that the run aborts.
        std::fs::write(&kept, &bytes).expect("a file");
        run(&bytes);
        if i % 1000 == 999 {
            eprintln!("{} done", i + 1);
        }
    }
}
