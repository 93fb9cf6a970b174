//! Notices: their permission, and messages that come by a push service.

use anyhow::{Context as _, Result};
use chromiumoxide::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetPermissionParams,
};
use chromiumoxide::cdp::browser_protocol::service_worker::{
    DeliverPushMessageParams, EnableParams, EventWorkerRegistrationUpdated, RegistrationId,
};
use chromiumoxide::cdp::browser_protocol::target::SetAutoAttachParams;
use futures_util::StreamExt as _;
use moorline_tests::wait::within;

use super::{Browser, Tab};

/// A service worker that gets messages.
#[derive(Debug)]
pub(crate) struct PushWorker {
    origin: String,
    id: RegistrationId,
}

impl Browser {
    /// Allows the pages of an origin, opened by [`Browser::open_beside`], to show notices.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn allow_notices(&self, origin: &str) -> Result<()> {
        let mut allowed = SetPermissionParams::new(
            PermissionDescriptor::new("notifications"),
            PermissionSetting::Granted,
        );
        allowed.origin = Some(origin.to_owned());
        self.inner.execute(allowed).await?;
        Ok(())
    }
}

impl Tab {
    /// Lets the page's workers start by themselves. The crate has the browser hold each back for a
    /// debugger, and lets only some go.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn let_workers_start(&self) -> Result<()> {
        self.page.execute(SetAutoAttachParams::new(false, false)).await?;
        Ok(())
    }

    /// Waits for the service worker of an origin. Call it once: the browser tells of it once.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) async fn push_worker(&self, origin: &str) -> Result<PushWorker> {
        let mut updates = self.page.event_listener::<EventWorkerRegistrationUpdated>().await?;
        self.page.execute(EnableParams::default()).await?;
        let registration = async {
            loop {
                let update = updates.next().await.context("the tab has ended")?;
                let mut all = update.registrations.iter();
                if let Some(ours) = all.find(|it| it.scope_url.starts_with(origin)) {
                    return anyhow::Ok(ours.registration_id.clone());
                }
            }
        };
        let id = within("the service worker", registration).await??;
        Ok(PushWorker { origin: origin.to_owned(), id })
    }

    /// Has the browser get a message for a service worker.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn deliver_push(&self, worker: &PushWorker, message: &str) -> Result<()> {
        let PushWorker { origin, id } = worker;
        self.page.execute(DeliverPushMessageParams::new(origin, id.clone(), message)).await?;
        Ok(())
    }
}
