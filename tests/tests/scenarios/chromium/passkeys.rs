//! A device with passkeys that Chromium plays itself.

use anyhow::Result;
use chromiumoxide::cdp::browser_protocol::web_authn::{
    AddVirtualAuthenticatorParams, AuthenticatorProtocol, AuthenticatorTransport, EnableParams,
    VirtualAuthenticatorOptions,
};

use super::Tab;

impl Tab {
    /// Gives the tab a device that makes and keeps passkeys, and that verifies its user at once.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn add_passkey_device(&self) -> Result<()> {
        self.page.execute(EnableParams::default()).await?;
        let mut options = VirtualAuthenticatorOptions::new(
            AuthenticatorProtocol::Ctap2,
            AuthenticatorTransport::Internal,
        );
        options.has_resident_key = Some(true);
        options.has_user_verification = Some(true);
        options.is_user_verified = Some(true);
        self.page.execute(AddVirtualAuthenticatorParams::new(options)).await?;
        Ok(())
    }
}
