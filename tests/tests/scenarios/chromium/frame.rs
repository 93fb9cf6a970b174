//! The frame in a tab's page, whose page is of another site.

use anyhow::{Context as _, Result};
use chromiumoxide::cdp::browser_protocol::page::AddScriptToEvaluateOnNewDocumentParams;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use chromiumoxide::layout::Point;
use moorline_tests::wait::{wait_for, wait_until, within};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Tab;

/// A place on a page, in CSS pixels.
#[derive(Debug, Deserialize)]
struct Place {
    x: f64,
    y: f64,
}

/// Where the middle of an element is.
fn middle(element: &str) -> String {
    format!(
        "(() => {{ const it = {element}; it.scrollIntoView({{ block: 'nearest' }});
            const at = it.getBoundingClientRect();
            return {{ x: at.x + at.width / 2, y: at.y + at.height / 2 }}; }})()"
    )
}

impl Tab {
    /// Runs a script in each page and frame that is loaded from now on, before the page's own.
    ///
    /// # Errors
    /// If Chromium refuses.
    pub(crate) async fn run_first(&self, script: &str) -> Result<()> {
        self.page.execute(AddScriptToEvaluateOnNewDocumentParams::new(script)).await?;
        Ok(())
    }

    /// The value of an expression in the frame that shows a session.
    ///
    /// # Errors
    /// If there is no such frame, or the expression throws.
    pub(crate) async fn in_frame<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        for frame in self.page.frames().await? {
            let url = self.page.frame_url(frame.clone()).await?.unwrap_or_default();
            if !url.contains("/embed/") {
                continue;
            }
            let context = self.page.frame_execution_context(frame).await?;
            let params = EvaluateParams::builder()
                .expression(expression)
                .context_id(context.context("the frame is not loaded")?)
                .return_by_value(true)
                .build()
                .map_err(anyhow::Error::msg)?;
            let value = within("the frame to answer", self.page.evaluate_expression(params));
            return value.await??.into_value().with_context(|| expression.to_owned());
        }
        anyhow::bail!("the page has no frame with a session")
    }

    /// Waits until an expression is true in the frame.
    ///
    /// # Errors
    /// Tells what the frame shows instead.
    pub(crate) async fn until_in_frame(&self, what: &str, expression: &str) -> Result<()> {
        let waited =
            wait_until(what, async || self.in_frame(expression).await.unwrap_or(false)).await;
        if waited.is_ok() {
            return waited;
        }
        let instead = self.in_frame::<String>("document.body.innerText").await;
        waited.with_context(|| format!("the frame shows {instead:?}"))
    }

    /// Waits until the frame shows this.
    ///
    /// # Errors
    /// As [`Tab::until_in_frame`].
    pub(crate) async fn until_framed_text(&self, text: &str) -> Result<()> {
        let wanted = serde_json::Value::from(text);
        let shown = "document.body.innerText.replaceAll('\\u00a0', ' ')";
        self.until_in_frame(
            &format!("{text:?} in the frame"),
            &format!("{shown}.includes({wanted})"),
        )
        .await
    }

    /// Waits for an element in the frame, and clicks on it as a person would.
    ///
    /// # Errors
    /// If it does not come.
    pub(crate) async fn click_in_frame(&self, selector: &str) -> Result<()> {
        let inside = middle(&format!("document.querySelector({selector:?})"));
        let frame = "(() => { const at = window.frameAround().getBoundingClientRect();
            return { x: at.x, y: at.y }; })()";
        let at = wait_for(&format!("{selector} in the frame"), async || {
            let inside: Place = self.in_frame(&inside).await.ok()?;
            let frame: Place = self.evaluate(frame).await.ok()?;
            Some(Point::new(frame.x + inside.x, frame.y + inside.y))
        })
        .await?;
        self.page.click(at).await?;
        Ok(())
    }
}
