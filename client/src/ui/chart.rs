//! A small chart of the last minutes: steps of equal length, drawn as an area.

use std::fmt::Write as _;

use leptos::prelude::*;

/// Height of the drawing, in its own units. Whole numbers are precise enough and avoid the code
/// that formats fractions.
const HEIGHT: u64 = 400;
/// Space above and below the line, so that its stroke is not clipped.
const MARGIN: u64 = 10;

/// The labels and the extent of a chart.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The title above the chart.
    pub title: &'static str,
    /// The number of steps that fill the chart.
    pub steps: usize,
    /// Formats a value for the reader.
    pub say: fn(u64) -> String,
    /// The label of the beginning of a full chart.
    pub since: &'static str,
}

/// Draws values over time, the newest at the right.
pub fn chart(scale: Scale, values: impl Fn() -> Vec<u64> + Send + Sync + 'static) -> impl IntoView {
    view! { <figure class="chart" inner_html=move || drawing(scale, &values())></figure> }
}

/// Returns the chart as HTML. It contains only numbers and constant words, and nothing from a
/// session.
fn drawing(scale: Scale, values: &[u64]) -> String {
    let Scale { title, steps, say, since } = scale;
    let now = say(values.last().copied().unwrap_or_default());
    let most = say(values.iter().copied().max().unwrap_or_default());
    let (line, left) = outline(values, steps).unwrap_or_default();
    let area = if line.is_empty() { String::new() } else { format!("{line}V{HEIGHT}H{left}Z") };
    format!(
        "<figcaption><span>{title}</span><strong>{now}</strong></figcaption>\
         <svg viewBox=\"0 0 {steps} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{title}: now {now}, at most {most}\"><path class=\"chart-area\" d=\"{area}\"/>\
         <path class=\"chart-line\" d=\"{line}\"/></svg>\
         <div class=\"chart-scale\" aria-hidden=\"true\"><span>{since}</span>\
         <span>peak {most}</span></div>"
    )
}

/// Returns the outline as an SVG path with one step per value, and the x coordinate of its start,
/// which is further right if there are fewer values than steps. Returns `None` without values.
fn outline(values: &[u64], steps: usize) -> Option<(String, usize)> {
    let values = &values[values.len().saturating_sub(steps)..];
    let most = values.iter().copied().max()?.max(1);
    let left = steps - values.len();
    let mut line = String::new();
    for (step, value) in values.iter().enumerate() {
        let height = MARGIN + (HEIGHT - 2 * MARGIN).saturating_mul(most - value) / most;
        let from = if step == 0 { format!("M{left} ") } else { "V".to_owned() };
        // Writing to a String cannot fail.
        let _ = write!(line, "{from}{height}H{}", left + step + 1);
    }
    Some((line, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_newest_value_is_at_the_right() {
        assert_eq!(outline(&[0, 2, 1], 5), Some(("M2 390H3V10H4V200H5".into(), 2)));
        assert_eq!(outline(&[9, 9, 0], 1), Some(("M0 390H1".into(), 0)));
        let scale = Scale { title: "Bytes", steps: 5, say: |value| value.to_string(), since: "" };
        let html = drawing(scale, &[0, 2, 1]);
        assert!(html.contains("Bytes: now 1, at most 2") && html.contains("H5V400H2Z"), "{html}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(outline(&[], 5), None);
        assert_eq!(outline(&[0], 2), Some(("M1 390H2".into(), 1)));
        assert!(outline(&[u64::MAX, 1], 2).is_some());
    }
}
