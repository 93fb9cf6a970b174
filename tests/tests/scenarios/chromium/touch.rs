//! A finger, a wheel and a key that scroll a tab, and which tab is in front.

use std::time::Duration;

use anyhow::Result;
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    DispatchTouchEventReturns, DispatchTouchEventType, TouchPoint,
};
use chromiumoxide::types::{Command, Method, MethodId};
use moorline_tests::wait::wait_for;
use serde::Serialize;

use super::Tab;

/// The movements of a swipe, and how long each takes: a finger is no teleporter, and a fling is a
/// matter of speed.
const STEPS: u32 = 10;
const STEP: Duration = Duration::from_millis(12);
/// The protocol's number of the key.
const SHIFT: i64 = 8;
/// A long press.
const HELD: Duration = Duration::from_millis(700);

/// The crate's own command leaves a list without points out, which Chromium refuses.
#[derive(Debug, Serialize)]
struct DispatchTouchEvent {
    #[serde(rename = "type")]
    kind: DispatchTouchEventType,
    #[serde(rename = "touchPoints")]
    points: Vec<TouchPoint>,
}

impl Method for DispatchTouchEvent {
    fn identifier(&self) -> MethodId {
        "Input.dispatchTouchEvent".into()
    }
}

impl Command for DispatchTouchEvent {
    type Response = DispatchTouchEventReturns;
}

impl Tab {
    /// Moves a finger over the page, and lifts it while it moves.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn swipe(&self, from: (f64, f64), to: (f64, f64)) -> Result<()> {
        self.touch(DispatchTouchEventType::TouchStart, Some(from)).await?;
        for step in 1..=STEPS {
            tokio::time::sleep(STEP).await;
            let part = f64::from(step) / f64::from(STEPS);
            let at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            self.touch(DispatchTouchEventType::TouchMove, Some(at)).await?;
        }
        self.touch(DispatchTouchEventType::TouchEnd, None).await
    }

    /// Presses long.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn hold(&self, at: (f64, f64)) -> Result<()> {
        self.touch(DispatchTouchEventType::TouchStart, Some(at)).await?;
        tokio::time::sleep(HELD).await;
        self.touch(DispatchTouchEventType::TouchEnd, None).await
    }

    /// Taps the middle of an element with a finger, once it is there.
    ///
    /// # Errors
    /// If it does not come.
    pub(crate) async fn tap(&self, selector: &str) -> Result<()> {
        let place = format!(
            "(() => {{ const it = document.querySelector({selector:?});
                it.scrollIntoView({{ block: 'nearest' }});
                const at = it.getBoundingClientRect();
                return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
        );
        let what = format!("{selector} to tap");
        let at = wait_for(&what, async || self.evaluate(&place).await.ok()).await?;
        self.touch(DispatchTouchEventType::TouchStart, Some(at)).await?;
        self.touch(DispatchTouchEventType::TouchEnd, None).await
    }

    /// Brings the tab to the front: a browser draws no other.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn to_front(&self) -> Result<()> {
        self.page.bring_to_front().await?;
        Ok(())
    }

    /// Turns the wheel: down is positive, in CSS pixels.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn wheel(&self, at: (f64, f64), pixels: f64) -> Result<()> {
        let mut turn =
            DispatchMouseEventParams::new(DispatchMouseEventType::MouseWheel, at.0, at.1);
        (turn.delta_x, turn.delta_y) = (Some(0.0), Some(pixels));
        self.page.execute(turn).await?;
        Ok(())
    }

    /// Presses Shift+PageUp.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn page_up(&self) -> Result<()> {
        self.chord("PageUp", "PageUp", 33, SHIFT).await
    }

    /// Presses a key with modifiers, which are a sum of the protocol's numbers: 2 is Control, 8 is
    /// Shift. `code` is its position, and `number` its virtual key code.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn chord(
        &self,
        name: &str,
        code: &str,
        number: i64,
        modifiers: i64,
    ) -> Result<()> {
        for kind in [DispatchKeyEventType::RawKeyDown, DispatchKeyEventType::KeyUp] {
            let mut key = DispatchKeyEventParams::new(kind);
            (key.key, key.code) = (Some(name.to_owned()), Some(code.to_owned()));
            (key.windows_virtual_key_code, key.modifiers) = (Some(number), Some(modifiers));
            self.page.execute(key).await?;
        }
        Ok(())
    }

    async fn touch(&self, kind: DispatchTouchEventType, at: Option<(f64, f64)>) -> Result<()> {
        let points: Vec<TouchPoint> = at.into_iter().map(|(x, y)| TouchPoint::new(x, y)).collect();
        self.page.execute(DispatchTouchEvent { kind, points }).await?;
        Ok(())
    }
}
