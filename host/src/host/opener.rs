//! Sessions that a session of this host opens, such as the commands that an agent runs.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use moorline_shared::control::{Facts, Start};
use moorline_shared::id::SessionId;
use moorline_shared::session::TMUX_DRIVER;
use tokio::sync::oneshot;

use super::{Host, StartError};
use crate::driver::pty::NAME as PTY;
use crate::driver::{OpenedTerminal, PaneWish, TerminalOpener, TerminalTail, TerminalWish};

/// What a program gets unless it says otherwise: nobody may be there who would leave a pager.
const PAGERS: [&str; 2] = ["PAGER", "GIT_PAGER"];
/// What is answered by a host that is about to end.
const STOPPING: &str = "The host is stopping.";

/// Opens sessions beside another one.
#[derive(Debug)]
pub(super) struct HostOpener {
    pub(super) host: Weak<Host>,
    /// The session that asks.
    pub(super) parent: SessionId,
}

impl TerminalOpener for HostOpener {
    fn open(&self, wish: TerminalWish) -> BoxFuture<'static, Result<OpenedTerminal, String>> {
        let (host, parent) = (self.host.clone(), self.parent.clone());
        let (sender, receiver) = oneshot::channel();
        // A session is started completely or not at all, whatever becomes of whoever asks.
        tokio::spawn(async move {
            let opened = match host.upgrade() {
                Some(host) => host.open_beside(parent, wish).await.map_err(|it| it.to_string()),
                None => Err(STOPPING.to_owned()),
            };
            if let Err(Ok(unwanted)) = sender.send(opened) {
                unwanted.close();
            }
        });
        Box::pin(async { receiver.await.unwrap_or_else(|_| Err(STOPPING.to_owned())) })
    }

    fn open_pane(&self, wish: PaneWish) -> BoxFuture<'static, Result<(), String>> {
        let (host, parent) = (self.host.clone(), self.parent.clone());
        // A session is started completely or not at all, whatever becomes of whoever asks.
        let opened = tokio::spawn(async move {
            match host.upgrade() {
                Some(host) => {
                    host.open_pane_beside(parent, wish).await.map_err(|it| it.to_string())
                }
                None => Err(STOPPING.to_owned()),
            }
        });
        Box::pin(async { opened.await.unwrap_or_else(|_| Err(STOPPING.to_owned())) })
    }
}

impl Host {
    /// Shows a pane of tmux beside another session, and tells the relay.
    async fn open_pane_beside(
        self: &Arc<Self>,
        parent: SessionId,
        PaneWish { session_id, spec }: PaneWish,
    ) -> Result<(), StartError> {
        let project = self.session(&parent).and_then(|it| it.hosted().facts.project.clone());
        let facts = Facts {
            project,
            driver: TMUX_DRIVER.to_owned(),
            tmux: Some(spec),
            beside: Some(parent),
            ..Facts::default()
        };
        let start = Start { session_id, facts, cwd: None, fork: None };
        let hosted = self.start_session(start).await?;
        self.state().opened.push(hosted);
        self.news.notify_one();
        Ok(())
    }

    /// Starts a program on a terminal beside another session, and tells the relay.
    async fn open_beside(
        self: &Arc<Self>,
        parent: SessionId,
        wish: TerminalWish,
    ) -> Result<OpenedTerminal, StartError> {
        let TerminalWish { session_id, command, env, cwd, output_bytes } = wish;
        let project = self.session(&parent).and_then(|it| it.hosted().facts.project.clone());
        let pagers = PAGERS.map(|name| (name.to_owned(), "cat".to_owned()));
        let env = pagers.into_iter().chain(env).collect();
        let facts = Facts {
            project,
            driver: PTY.to_owned(),
            command,
            env,
            beside: Some(parent),
            ..Facts::default()
        };
        let cwd = Some(cwd.to_string_lossy().into_owned());
        let tail = Arc::new(TerminalTail::new(output_bytes));
        let start = Start { session_id, facts, cwd, fork: None };
        let (hosted, control) = self.start_watched(start, Some(&tail)).await?;
        self.state().opened.push(hosted);
        self.news.notify_one();
        Ok(OpenedTerminal { tail, control })
    }
}
