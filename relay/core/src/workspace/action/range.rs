//! The part of a file that a request wants (RFC 9110 § 14).

use std::ops::Range;

/// What a header `Range` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RangePart {
    /// The whole file: the header is missing, or of a form that may be ignored.
    Whole,
    /// This part.
    Bytes(Range<usize>),
    /// Nothing of the file.
    Outside,
}

/// Parses a header `Range` for a file of this size. Lists of ranges count as none.
pub(super) fn parse(header: Option<&str>, size: usize) -> RangePart {
    let Some((first, last)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return RangePart::Whole;
    };
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(0)) if first.trim().is_empty() => return RangePart::Outside,
        (None, Some(last)) if first.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return RangePart::Whole,
    };
    if range.start < range.end { RangePart::Bytes(range) } else { RangePart::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_file() {
        let part = |header: &str| parse(Some(header), 10);
        assert_eq!(parse(None, 10), RangePart::Whole);
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=8-99", 8..10),
        ] {
            assert_eq!(part(header), RangePart::Bytes(range), "{header}");
        }
        for header in ["bytes=10-", "bytes=-0", "bytes=11-12"] {
            assert_eq!(part(header), RangePart::Outside, "{header}");
        }
        for header in ["bytes=", "items=0-1", "bytes=0-1,3-4", "bytes=5-2", "bytes=x-y", "bytes=-"]
        {
            assert_eq!(part(header), RangePart::Whole, "{header}");
        }
        assert_eq!(parse(Some("bytes=0-"), 0), RangePart::Outside);
    }
}
