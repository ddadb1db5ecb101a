//! `postback-soak load`: everything that is interrupted counts once.

use std::time::Duration;

use clap::Args;
use postback_tests::counts::{Account, Length, Scene, run};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often each scene is played
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// How long the interruptions of a scene go on that has no end of its own
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Only the scenes whose names hold this
    #[arg(long, value_name = "TEXT", default_value = "")]
    scene: String,
    /// Postbacks a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
    /// Of the first round; each round has another one
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Whether all promises were kept.
pub(crate) fn soak(arguments: &Arguments) -> bool {
    let mut kept = true;
    println!("{}", head());
    for round in 0..arguments.rounds {
        let chosen = Scene::ALL.into_iter();
        for scene in chosen.filter(|scene| scene.to_string().contains(&arguments.scene)) {
            eprintln!("round {} of {}: {scene}", round + 1, arguments.rounds);
            let length = Length {
                interruptions: Duration::from_secs(arguments.seconds),
                rate: arguments.rate,
                seed: arguments.seed + round,
            };
            let account = run(scene, &length);
            println!("{}", row(scene, &account));
            for note in &account.notes {
                eprintln!("  {note}");
            }
            for broken in &account.broken {
                kept = false;
                eprintln!("  BROKEN: {broken}");
            }
        }
    }
    kept
}

fn head() -> String {
    super::head(&[
        "scene",
        "messages",
        "conversions",
        "interruptions",
        "copies",
        "looks of the reader",
        "broken",
    ])
}

fn row(scene: Scene, account: &Account) -> String {
    super::row(&[
        scene.to_string(),
        account.messages.to_string(),
        account.conversions.to_string(),
        account.disturbances.to_string(),
        account.copies.to_string(),
        account.looks.to_string(),
        account.broken.len().to_string(),
    ])
}
