//! A small chart of the last minutes: steps of equal length, drawn as an area.

use std::fmt::Write as _;

use leptos::prelude::*;

/// Of the drawing, in its own units: whole numbers draw well enough, and fractions are much code.
const HEIGHT: u64 = 400;
/// A line of some width stays whole at both ends.
const MARGIN: u64 = 10;

/// What a chart shows.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// So many steps fill it.
    pub steps: usize,
    /// How a value reads.
    pub say: fn(u64) -> String,
    /// What the beginning of a full chart is called.
    pub since: &'static str,
}

/// Values over time, the newest at the right.
#[component]
pub fn Chart(
    /// What they are.
    title: &'static str,
    /// The oldest first.
    values: Memo<Vec<u64>>,
    /// How they are drawn.
    scale: Scale,
) -> impl IntoView {
    let now = move || values.with(|values| values.last().copied().unwrap_or_default());
    let most = move || values.with(|values| values.iter().copied().max().unwrap_or_default());
    let label =
        move || format!("{title}: now {}, at most {}", (scale.say)(now()), (scale.say)(most()));
    let shape = Memo::new(move |_| values.with(|values| outline(values, scale.steps)));
    let width = scale.steps;
    view! {
        <figure class="chart">
            <figcaption>
                <span>{title}</span>
                <strong>{move || (scale.say)(now())}</strong>
            </figcaption>
            <svg
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
                role="img"
                aria-label=label
            >
                <path
                    class="chart-area"
                    d=move || shape.with(|shape| shape.as_ref().map(Outline::area))
                />
                <path
                    class="chart-line"
                    d=move || shape.with(|shape| shape.as_ref().map(|shape| shape.line.clone()))
                />
            </svg>
            <div class="chart-scale" aria-hidden="true">
                <span>{scale.since}</span>
                <span>{move || format!("most {}", (scale.say)(most()))}</span>
            </div>
        </figure>
    }
}

/// The line above the values.
#[derive(Debug, Clone, PartialEq)]
struct Outline {
    line: String,
    left: usize,
}

impl Outline {
    fn area(&self) -> String {
        format!("{}V{HEIGHT}H{}Z", self.line, self.left)
    }
}

/// Draws each value as one step; less than all steps begin further right. `None` without values.
fn outline(values: &[u64], steps: usize) -> Option<Outline> {
    let values = &values[values.len().saturating_sub(steps)..];
    let most = values.iter().copied().max()?.max(1);
    let left = steps - values.len();
    let mut line = String::new();
    for (step, value) in values.iter().enumerate() {
        let above = most - value;
        let height = MARGIN + (HEIGHT - 2 * MARGIN).saturating_mul(above) / most;
        let from = if step == 0 { format!("M{left} ") } else { "V".to_owned() };
        // Writing to a String cannot fail.
        let _ = write!(line, "{from}{height}H{}", left + step + 1);
    }
    Some(Outline { line, left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_newest_value_is_at_the_right() {
        let drawn = outline(&[0, 2, 1], 5).unwrap();
        assert_eq!(drawn.line, "M2 390H3V10H4V200H5");
        assert!(drawn.area().ends_with("H5V400H2Z"));
        assert_eq!(outline(&[9, 9, 0], 1).unwrap().line, "M0 390H1");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(outline(&[], 5), None);
        assert_eq!(outline(&[0], 2).unwrap().line, "M1 390H2");
        assert!(outline(&[u64::MAX, 1], 2).is_some());
    }
}
