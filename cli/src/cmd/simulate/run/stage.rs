//! The network, playing: one thread for all that it sends and answers, one that thinks up what
//! happens in the shops, one that writes the ledger.

use std::fs::File;
use std::net::SocketAddr;

use postback_service::lifecycle::Shutdown;
use postback_simulator::ledger::line::{End, Line, Run};
use postback_simulator::network::Api;
use postback_simulator::push::Progress;
use postback_simulator::{Book, Chapters, Event, Network, Push, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc;

use super::BEHIND_MS;
use crate::console::Console;
use crate::ending::Failure;
use crate::servers::Trouble;

/// Chapters of the scenario that are thought up ahead.
const AHEAD: usize = 2;

/// Everything that plays.
pub(super) struct Stage {
    pub(super) network: Network,
    pub(super) push: Push,
    pub(super) settings: Settings,
    pub(super) events: u64,
    pub(super) api: Api,
    pub(super) ledger: File,
    pub(super) head: Run,
    pub(super) stop: Shutdown,
}

/// What goes to the network's own thread.
struct Playing {
    network: Network,
    push: Push,
    ledger: File,
    head: Run,
    stop: Shutdown,
}

/// Where the network's API is to be.
pub(super) async fn listen(address: SocketAddr) -> Result<Api, Failure> {
    let api = Api::bind(address).await.map_err(|error| {
        Trouble::new(
            format!("the network's API cannot listen at {address}: {error}"),
            "name another address with --api; port 0 takes any",
        )
    });
    Ok(api?)
}

/// Why it broke off.
type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Stage {
    /// Plays until the end, and tells how far it is.
    pub(super) async fn play(self, console: &mut Console) -> Result<End, Failure> {
        raise_open_files();
        let chapters =
            Chapters::new(self.settings.clone(), self.events).map_err(Failure::failed)?;
        let events = thought_up(chapters).map_err(Failure::failed)?;
        let address = self.api.address().map_err(Failure::failed)?;
        console.note(format_args!(
            "The network's API: http://{address} (sid {}); seed {}",
            self.settings.publisher_id, self.settings.seed
        ));
        let Self {
            network,
            push,
            ledger,
            head,
            stop,
            api,
            ..
        } = self;
        let api = api.into_std().map_err(Failure::failed)?;
        let playing = Playing {
            network,
            push,
            ledger,
            head,
            stop,
        };
        let (tell, mut told) = mpsc::unbounded_channel();
        let played = std::thread::Builder::new()
            .name("network".to_owned())
            .spawn(move || playing.on_one_thread(api, events, &tell))
            .map_err(Failure::failed)?;
        while let Some(progress) = told.recv().await {
            tell_progress(&progress, console);
        }
        if console.is_watched() {
            console.progress("");
        }
        let broke_off = |_| Failure::failed("the simulated network broke off");
        played.join().map_err(broke_off)?.map_err(Failure::failed)
    }
}

impl Playing {
    fn on_one_thread(
        self,
        api: std::net::TcpListener,
        events: mpsc::Receiver<Vec<Event>>,
        tell: &mpsc::UnboundedSender<Progress>,
    ) -> Result<End, Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let book = Book::open(self.ledger)?;
        let pushed = runtime.block_on(async {
            book.write(Line::Run(self.head))?;
            tokio::spawn(Api::from_std(api)?.serve(self.network.clone()));
            let progress = |progress: &Progress| {
                tell.send(*progress).ok();
            };
            let stop = self.stop.cancelled();
            let end = self
                .push
                .run(&self.network, events, &book, stop, progress)
                .await?;
            book.write(Line::End(end.clone()))?;
            Ok::<End, Broken>(end)
        });
        // Its own words say more than that it could not be written.
        book.close()?;
        pushed
    }
}

/// What happens in the shops, chapter by chapter, on a thread of its own.
fn thought_up(chapters: Chapters) -> std::io::Result<mpsc::Receiver<Vec<Event>>> {
    let (send, receive) = mpsc::channel(AHEAD);
    std::thread::Builder::new()
        .name("shops".to_owned())
        .spawn(move || {
            for chapter in chapters {
                if send.blocking_send(chapter).is_err() {
                    return;
                }
            }
        })?;
    Ok(receive)
}

fn tell_progress(progress: &Progress, console: &mut Console) {
    let behind = progress.behind.as_millis();
    if behind > BEHIND_MS {
        console.warn(format_args!(
            "{behind} ms behind the schedule: this machine or --connections is too small for the rate"
        ));
    }
    let counts = &progress.counts;
    if console.is_watched() {
        console.progress(format_args!(
            "{} postbacks, {} acknowledged, {} refused, {} without an answer, {} kept back",
            counts.planned, counts.acknowledged, counts.refused, counts.failed, counts.withheld
        ));
    }
}

/// As many connections as the system lets us have; what it does not, the schedule tells.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).ok();
}
