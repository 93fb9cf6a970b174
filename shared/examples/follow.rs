//! Follows a session: types a line into it and prints its output until it ends.
//!
//! ```sh
//! export MOORLINE_URL=http://127.0.0.1:3010 MOORLINE_TOKEN=…
//! cargo run -p moorline-shared --example follow -- <session id> "echo hello"
//! ```
//!
//! [`Client`] decides when to dial, what to send and which frames to apply; this file only moves
//! bytes. Restart the relay while it runs, and the output continues where it stopped.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::frame::Frame;
use moorline_shared::id::ClientId;
use moorline_shared::link::{Client, ClientStatus, Input, Output, SavedInput, Verdict};
use moorline_shared::message::{SUBPROTOCOL, ServerMessage, close};
use moorline_shared::time::Time;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let session = arguments.next().context("the first argument is a session id")?;
    let url = std::env::var("MOORLINE_URL")?.replacen("http", "ws", 1);
    let request = ClientRequestBuilder::new(format!("{url}/sessions/{session}/stream").parse()?)
        .with_sub_protocol(SUBPROTOCOL)
        .with_header("Authorization", format!("Bearer {}", std::env::var("MOORLINE_TOKEN")?));

    let started = Instant::now();
    let now = || Time::from_ms(started.elapsed().as_millis() as u64);
    let random = || RandomState::new().hash_one(0);
    let id = ClientId::from_random(u128::from(random()) << 64 | u128::from(random()));
    let mut client = Client::new(id, random(), &SavedInput::default());
    client.handle(now(), Input::Dial);
    if let Some(line) = arguments.next() {
        client.type_input(format!("{line}\r").as_bytes())?;
    }

    let mut socket = None;
    loop {
        // 1. Do what the client says, until it has nothing more to say.
        while let Some(output) = client.poll_output(now()) {
            let message = match output {
                Output::Dial(generation) => {
                    match connect_async(request.clone()).await {
                        Ok((opened, _)) => {
                            socket = Some((generation, opened));
                            client.handle(now(), Input::Opened(generation));
                        }
                        Err(Error::Http(answer)) if answer.status().is_client_error() => {
                            bail!("the relay answered {}", answer.status());
                        }
                        Err(_) => client.handle(now(), Input::Closed(generation, close::ABNORMAL)),
                    }
                    continue;
                }
                Output::Send(message) => Message::text(message.to_json()),
                Output::SendFrame(frame) => Message::Binary(frame.encoded()),
                Output::HangUp => {
                    socket = None;
                    continue;
                }
                Output::Paint(snapshot) => {
                    print(&snapshot.data)?;
                    client.applied(now(), snapshot.seq, snapshot.data.len());
                    continue;
                }
                Output::Event(seq, _) => {
                    client.applied(now(), seq, 0);
                    continue;
                }
                Output::Clear => {
                    print(b"\x1bc")?;
                    continue;
                }
                other => bail!("{other:?}"),
            };
            if let Some((_, socket)) = &mut socket {
                // A failure is reported by the next read.
                drop(socket.send(message).await);
            }
        }
        match client.status() {
            ClientStatus::Ended(_) => return Ok(()),
            ClientStatus::Refused { code } => bail!("the relay closed the connection with {code}"),
            _ => {}
        }

        // 2. Wait for a message or for the client's timeout.
        let timeout = client.poll_timeout().map_or(Duration::MAX, |at| at - now());
        let received = async {
            match &mut socket {
                Some((generation, socket)) => (*generation, socket.next().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep(timeout) => client.tick(now()),
            (generation, message) = received => match message {
                Some(Ok(Message::Text(text))) => {
                    let message = ServerMessage::from_json(&text)?;
                    client.handle(now(), Input::Message(generation, message));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = Frame::decode(bytes)?;
                    if client.frame(now(), generation, frame.seq()) == Verdict::Apply {
                        print(frame.data())?;
                        client.applied(now(), frame.seq(), frame.data_len());
                    }
                }
                Some(Ok(Message::Close(Some(close)))) => {
                    client.handle(now(), Input::Closed(generation, close.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => client.handle(now(), Input::Closed(generation, close::ABNORMAL)),
            },
        }
    }
}

fn print(data: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(data)?;
    stdout.flush()
}
