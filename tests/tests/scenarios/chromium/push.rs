//! Notices: their permission, and messages that come by a push service.

use anyhow::{Context as _, Result};
use chromiumoxide::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetPermissionParams,
};
use chromiumoxide::cdp::browser_protocol::service_worker::{
    DeliverPushMessageParams, EnableParams, EventWorkerRegistrationUpdated,
};
use futures_util::StreamExt as _;
use moorline_tests::wait::within;

use super::{Browser, Tab};

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
    /// Has the browser get a message for the service worker of an origin.
    ///
    /// # Errors
    /// Where there is no worker.
    pub(crate) async fn deliver_push(&self, origin: &str, message: &str) -> Result<()> {
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
        self.page.execute(DeliverPushMessageParams::new(origin, id, message)).await?;
        Ok(())
    }
}
