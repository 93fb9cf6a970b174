//! One tab.

use std::path::Path;
use std::sync::PoisonError;

use anyhow::{Context as _, Result};
use chromiumoxide::Page;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel, LogEntrySource};
use chromiumoxide::cdp::browser_protocol::network::{
    BlockPattern, EnableParams as EnableNetwork, SetBlockedUrLsParams,
};
use chromiumoxide::cdp::browser_protocol::page::{
    CrashParams, SetWebLifecycleStateParams, SetWebLifecycleStateState,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::page::ScreenshotParams;
use futures_util::StreamExt as _;
use moorline_tests::wait::{wait_for, wait_until, within};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Complaint, Complaints};

/// A page of the client.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(super) page: Page,
    complaints: Complaints,
}

/// How far a terminal's content is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The last entry on the screen.
    pub(crate) seq: u64,
    /// The snapshot's number that everything counts from.
    pub(crate) from: u64,
    /// Bytes of the entries since then.
    pub(crate) bytes: u64,
    /// Their digest, where the address asks for one by `?digest`.
    pub(crate) digest: String,
}

/// What a page says of itself, in one question.
#[derive(Debug, Deserialize)]
struct Dataset {
    seq: Option<String>,
    from: Option<String>,
    bytes: Option<String>,
    digest: Option<String>,
}

const DATASET: &str = "(() => {
    const data = document.querySelector('[data-testid=terminal]')?.dataset ?? {};
    return { seq: data.appliedSeq, from: data.appliedFrom, bytes: data.appliedBytes,
             digest: data.appliedDigest };
})()";

/// What the page says, where its focus is, and whether it has failed.
const SHOWN: &str = "`${document.activeElement?.outerHTML.slice(0, 200)} has the focus of ` +
    `${document.title}: ${document.body.innerText.slice(0, 2000)}`";
const TEXT: &str = "[...document.querySelectorAll('.xterm-rows > div')]
    .map(row => row.textContent.replaceAll('\\u00a0', ' ').trimEnd()).join('\\n').trimEnd()";

impl Tab {
    pub(super) async fn watch(page: Page) -> Result<Self> {
        let complaints = Complaints::default();
        let mut logged = page.event_listener::<EventEntryAdded>().await?;
        let mut called = page.event_listener::<EventConsoleApiCalled>().await?;
        let mut thrown = page.event_listener::<EventExceptionThrown>().await?;
        let listeners = complaints.clone();
        tokio::spawn(async move {
            loop {
                let complaint = tokio::select! {
                    Some(event) = logged.next() => of_log(&event),
                    Some(event) = called.next() => of_console(&event),
                    Some(event) = thrown.next() => Some(Complaint {
                        network: false,
                        text: format!("{:?}", event.exception_details),
                    }),
                    else => return,
                };
                listeners.lock().unwrap_or_else(PoisonError::into_inner).extend(complaint);
            }
        });
        page.execute(EnableNetwork::default()).await?;
        Ok(Self { page, complaints })
    }

    /// Errors on the console, those of the network left out where that is known to be bad.
    #[must_use]
    pub(crate) fn complaints(&self, bad_network: bool) -> Vec<String> {
        let all = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |complaint: &&Complaint| !(complaint.network && bad_network);
        all.iter().filter(counts).map(|complaint| complaint.text.clone()).collect()
    }

    /// Takes the errors that were on the console, which a scenario has caused on purpose.
    pub(crate) fn take_complaints(&self) -> Vec<String> {
        let mut all = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        all.drain(..).map(|complaint| complaint.text).collect()
    }

    /// Has requests of addresses that match this pattern fail, or none with `None`.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn block(&self, pattern: Option<&str>) -> Result<()> {
        let blocked = pattern.map(|pattern| BlockPattern::new(pattern, true));
        let blocked = SetBlockedUrLsParams { url_patterns: Some(blocked.into_iter().collect()) };
        self.page.execute(blocked).await?;
        Ok(())
    }

    /// Opens another address.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub(crate) async fn go_to(&self, address: &str) -> Result<()> {
        within("the page to load", self.page.goto(address)).await??;
        Ok(())
    }

    /// Loads the page again.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub(crate) async fn reload(&self) -> Result<()> {
        within("the page to load again", self.page.reload()).await??;
        Ok(())
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// Where it throws, or has another shape.
    pub(crate) async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let value = within("the page to answer", self.page.evaluate(expression)).await??;
        value.into_value().with_context(|| format!("the answer to {expression}"))
    }

    /// Waits until an expression is true. An expression that fails is evaluated again.
    ///
    /// # Errors
    /// If it does not become true in time.
    pub(crate) async fn until(&self, what: &str, expression: &str) -> Result<()> {
        let waited = wait_until(what, async || self.evaluate(expression).await.unwrap_or(false));
        self.or_shown(waited.await).await
    }

    /// Adds what the page shows to an error.
    async fn or_shown<T>(&self, waited: Result<T>) -> Result<T> {
        let Err(error) = waited else { return waited };
        let shown = self.evaluate::<String>(SHOWN).await.unwrap_or_default();
        Err(error.context(format!("the page shows: {shown}")))
    }

    /// What the terminal shows.
    ///
    /// # Errors
    /// Where the page does not answer.
    pub(crate) async fn text(&self) -> Result<String> {
        self.evaluate(TEXT).await
    }

    /// How far the terminal's content is.
    ///
    /// # Errors
    /// Where the page does not answer.
    pub(crate) async fn applied(&self) -> Result<Applied> {
        let data: Dataset = self.evaluate(DATASET).await?;
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Applied {
            seq: number(data.seq),
            from: number(data.from),
            bytes: number(data.bytes),
            digest: data.digest.unwrap_or_default(),
        })
    }

    /// The link's state by its stable name: `live`, `waiting`, `ended`, …
    ///
    /// # Errors
    /// Where the page does not answer.
    pub(crate) async fn state(&self) -> Result<Option<String>> {
        self.evaluate("document.querySelector('[data-testid=status]')?.dataset.state ?? null").await
    }

    /// Waits until the link has this state.
    ///
    /// # Errors
    /// Tells which it has instead.
    pub(crate) async fn until_state(&self, state: &str) -> Result<()> {
        let has = async || (self.state().await.ok()??.as_str() == state).then_some(());
        let waited = wait_for(&format!("a page that is {state}"), has).await;
        let instead = self.state().await;
        waited.with_context(|| format!("it is {instead:?}"))
    }

    /// Waits until the terminal shows this.
    ///
    /// # Errors
    /// Tells what it shows instead.
    pub(crate) async fn until_text(&self, text: &str) -> Result<()> {
        self.until_text_is(&format!("{text:?}"), |shown| shown.contains(text)).await
    }

    /// Waits until what the terminal shows is right.
    ///
    /// # Errors
    /// Tells what it shows instead.
    pub(crate) async fn until_text_is(
        &self,
        what: &str,
        right: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let shows = async || self.text().await.ok().filter(|text| right(text));
        let waited = wait_for(&format!("{what} in the terminal"), shows).await;
        let instead = self.text().await;
        waited.map(|_| ()).with_context(|| format!("it shows {instead:?}"))
    }

    /// Waits for an element of the page, and returns its text.
    ///
    /// # Errors
    /// Where it does not come.
    pub(crate) async fn until_there(&self, selector: &str) -> Result<String> {
        let script = format!("document.querySelector({selector:?})?.textContent ?? null");
        let what = format!("{selector} on the page");
        let waited =
            wait_for(&what, async || self.evaluate::<Option<String>>(&script).await.ok().flatten());
        self.or_shown(waited.await).await
    }

    /// Waits until an element is gone.
    ///
    /// # Errors
    /// Where it stays.
    pub(crate) async fn until_gone(&self, selector: &str) -> Result<()> {
        let script = format!("document.querySelector({selector:?}) === null");
        self.until(&format!("{selector} to go"), &script).await
    }

    /// Clicks on an element, once it is there.
    ///
    /// # Errors
    /// Where it is not, or cannot be clicked on.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        // The page may be drawn anew between finding the element and clicking on it.
        wait_for(&format!("a click on {selector}"), async || {
            self.page.find_element(selector).await.ok()?.click().await.ok().map(|_| ())
        })
        .await
    }

    /// Moves the pointer over an element, once it is there.
    ///
    /// # Errors
    /// Where it does not come.
    pub(crate) async fn hover(&self, selector: &str) -> Result<()> {
        wait_for(&format!("the pointer over {selector}"), async || {
            self.page.find_element(selector).await.ok()?.hover().await.ok().map(|_| ())
        })
        .await
    }

    /// Clicks into a field until it has the focus: what is drawn late moves it away from where the
    /// click goes.
    ///
    /// # Errors
    /// Where there is none, or it takes no focus.
    pub(crate) async fn click_into(&self, selector: &str) -> Result<()> {
        let focused = format!(
            "document.activeElement === document.querySelector({})",
            serde_json::Value::from(selector)
        );
        wait_until(&format!("the focus in {selector}"), async || {
            self.click(selector).await.is_ok()
                && self.evaluate::<bool>(&focused).await.is_ok_and(|focused| focused)
        })
        .await
    }

    /// Presses the keys for a text, each as a person would. `\n` is Enter.
    ///
    /// # Errors
    /// Where a key is not on the keyboard.
    pub(crate) async fn type_text(&self, text: &str) -> Result<()> {
        for character in text.chars() {
            match character {
                '\n' => self.press("Enter").await?,
                other => self.press(other.encode_utf8(&mut [0; 4])).await?,
            }
        }
        Ok(())
    }

    /// Presses one key: a character, or a name as `Enter` or `ArrowUp`.
    ///
    /// # Errors
    /// Where it is not on the keyboard.
    pub(crate) async fn press(&self, key: &str) -> Result<()> {
        // Keys go to whatever has the focus; the element is but a way to the keyboard.
        self.page.find_element("body").await?.press_key(key).await?;
        Ok(())
    }

    /// Types into a field, after what is there. It is typed again if the page was still being drawn.
    ///
    /// # Errors
    /// If the field does not get the text in time.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let value = format!("document.querySelector({selector:?}).value");
        self.until_there(selector).await?;
        let before: String = self.evaluate(&value).await?;
        let typed = async || -> Result<bool> {
            self.evaluate::<String>(&format!("{value} = {}", json!(before))).await?;
            self.click_into(selector).await?;
            self.type_text(text).await?;
            Ok(self.evaluate::<String>(&value).await? == format!("{before}{text}"))
        };
        let is_typed = async || typed().await.is_ok_and(|typed| typed);
        wait_until(&format!("{text:?} in {selector}"), is_typed).await
    }

    /// Gives the page the size of another device.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn resize(&self, width: i64, height: i64, phone: bool) -> Result<()> {
        let scale = if phone { 2.0 } else { 1.0 };
        self.page.execute(SetDeviceMetricsOverrideParams::new(width, height, scale, phone)).await?;
        Ok(())
    }

    /// Lets the browser prefer a `dark` or `light` scheme.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn prefer_scheme(&self, scheme: &str) -> Result<()> {
        self.prefer("prefers-color-scheme", scheme).await
    }

    /// Lets the browser have another value of a media feature.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn prefer(&self, feature: &str, value: &str) -> Result<()> {
        let feature = MediaFeature::new(feature, value);
        self.page.execute(SetEmulatedMediaParams::builder().feature(feature).build()).await?;
        Ok(())
    }

    /// Has the browser freeze the page, as it does with tabs in the background.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn freeze(&self) -> Result<()> {
        self.set_lifecycle(SetWebLifecycleStateState::Frozen).await
    }

    /// Lets a frozen page run again.
    ///
    /// # Errors
    /// If the browser does not do it.
    pub(crate) async fn thaw(&self) -> Result<()> {
        self.set_lifecycle(SetWebLifecycleStateState::Active).await
    }

    async fn set_lifecycle(&self, state: SetWebLifecycleStateState) -> Result<()> {
        self.page.execute(SetWebLifecycleStateParams::new(state)).await?;
        Ok(())
    }

    /// Has the page's process crash. The browser does not answer for it any more.
    pub(crate) fn crash(&self) {
        let page = self.page.clone();
        tokio::spawn(async move { drop(page.execute(CrashParams::default()).await) });
    }

    /// Keeps a snapshot of the page.
    ///
    /// # Errors
    /// Where it cannot be taken or written.
    pub(crate) async fn keep_snapshot(&self, path: &Path) -> Result<()> {
        let snapshot = self.page.save_screenshot(ScreenshotParams::builder().build(), path);
        within("a snapshot of the page", snapshot).await??;
        Ok(())
    }
}

fn of_log(event: &EventEntryAdded) -> Option<Complaint> {
    let entry = &event.entry;
    // A hash that Chromium does not look at is no error to it, and promises what it does not hold.
    let is_unchecked = entry.text.contains("`integrity`");
    (entry.level == LogEntryLevel::Error || is_unchecked).then(|| Complaint {
        network: entry.source == LogEntrySource::Network,
        text: format!("{:?}: {} ({:?})", entry.source, entry.text, entry.url),
    })
}

fn of_console(event: &EventConsoleApiCalled) -> Option<Complaint> {
    let failed = matches!(event.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Assert);
    let said = |argument: &chromiumoxide::cdp::js_protocol::runtime::RemoteObject| {
        let value = argument.value.as_ref().map(ToString::to_string);
        value.or_else(|| argument.description.clone()).unwrap_or_default()
    };
    failed.then(|| Complaint {
        network: false,
        text: event.args.iter().map(said).collect::<Vec<_>>().join(" "),
    })
}
