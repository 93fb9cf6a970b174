//! What users ask a group, and the sizes of windows that users have chosen.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::failure::HostFailure;
use moorline_shared::limits::TMUX_PANES;
use moorline_shared::tmux::{TmuxAction, TmuxAnswer, TmuxQuestion};
use tokio::time::{sleep, timeout};

use super::TmuxGroup;
use crate::driver::tmux::action;
use crate::driver::tmux::command::TmuxError;

/// Time allowed for a connection that a question needs.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Time in which a client may come back before a window that it has shown loses the size of its page.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// Keeps a group from opening new panes by itself, as long as it lives.
#[derive(Debug)]
pub(in crate::driver::tmux) struct WindowCreation(Arc<TmuxGroup>);

impl Drop for WindowCreation {
    fn drop(&mut self) {
        self.0.state().creating -= 1;
        self.0.look();
    }
}

impl TmuxGroup {
    /// Begins the creation of a window that gets a session of its own.
    pub(in crate::driver::tmux) fn create_window(self: Arc<Self>) -> WindowCreation {
        self.state().creating += 1;
        WindowCreation(self)
    }

    /// Notes whether a client shows a pane. Some time after the last one has left a window, that has
    /// no more the size of a page.
    pub(in crate::driver::tmux) fn watched(self: Arc<Self>, pane: &str, watched: bool) {
        let mut state = self.state();
        if watched {
            state.watched.insert(pane.to_owned());
        } else if state.watched.remove(pane) && !state.fitted.is_empty() {
            drop(state);
            tokio::spawn(async move {
                sleep(LEAVE_LIMIT).await;
                if let Err(error) = self.end_fits().await {
                    tracing::debug!(%error, "a window keeps the size of a page");
                }
            });
        }
    }

    /// Ends the sizes of windows that no client shows.
    async fn end_fits(self: Arc<Self>) -> Result<(), TmuxError> {
        let (client, left) = {
            let state = self.state();
            let windows = state.shown.iter().flat_map(|shown| &shown.windows);
            let left: Vec<String> = windows
                .filter(|window| state.fitted.contains(&window.id))
                .filter(|window| window.panes.iter().all(|pane| !state.watched.contains(&pane.id)))
                .map(|window| window.id.clone())
                .collect();
            (state.client.clone().ok_or(TmuxError::Disconnected)?, left)
        };
        for window in &left {
            client.ask_one(format!("refresh-client -C {window}:")).await?;
            self.state().fitted.remove(window);
        }
        if left.is_empty() { Ok(()) } else { self.refresh(&client, false).await }
    }

    /// Answers a question of a user about the group of a pane.
    pub(in crate::driver::tmux) async fn answer(
        self: Arc<Self>,
        pane: String,
        question: TmuxQuestion,
    ) -> TmuxAnswer {
        // It may be about to connect.
        _ = timeout(CONNECT_LIMIT, self.connection()).await;
        let acted = match question {
            TmuxQuestion::Show => Ok(()),
            TmuxQuestion::Act(action) => self.act(&action).await,
        };
        if let Err(error) = acted {
            return HostFailure::new("tmux_failed", format!("{error}.")).into();
        }
        let shown = self.state().shown.clone();
        match shown {
            Some(session) => TmuxAnswer::Shown { pane, session },
            None => HostFailure::new("tmux_failed", "tmux has not answered yet: try again.").into(),
        }
    }

    /// Waits until the panes are listed and can be changed.
    async fn connection(&self) {
        loop {
            let mut listed = pin!(self.listed.notified());
            listed.as_mut().enable();
            {
                let state = self.state();
                if state.client.is_some() && state.shown.is_some() {
                    return;
                }
            }
            listed.await;
        }
    }

    async fn act(self: &Arc<Self>, action: &TmuxAction) -> Result<(), TmuxError> {
        let client = self.state().client.clone().ok_or(TmuxError::Disconnected)?;
        let commands = {
            let state = self.state();
            let shown = state.shown.as_ref().ok_or(TmuxError::Disconnected)?;
            action::commands(action, &self.session, shown)?
        };
        for command in commands {
            client.ask_one(command).await?;
        }
        match action {
            TmuxAction::Fit { window, .. } => _ = self.state().fitted.insert(window.clone()),
            TmuxAction::Unfit => self.state().fitted.clear(),
            TmuxAction::Open { pane } => self.open_again(pane)?,
            _ => {}
        }
        self.refresh(&client, false).await
    }

    /// Lets the group open a pane that was left alone, at its next look.
    fn open_again(&self, pane: &str) -> Result<(), TmuxError> {
        let mut state = self.state();
        let shown = state.shown.as_ref().and_then(|shown| shown.find(pane));
        if shown.is_some_and(|(_, pane)| pane.dead) {
            return Err(TmuxError::Refused(format!("the program of the pane {pane} has ended")));
        }
        if state.panes.len() >= TMUX_PANES {
            let most = format!("{TMUX_PANES} panes of the session are open already");
            return Err(TmuxError::Refused(most));
        }
        state.left_alone.remove(pane);
        Ok(())
    }
}
