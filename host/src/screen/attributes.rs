//! Attributes that the emulator's cells have no place for.
//!
//! They are kept as a mark among a cell's combining characters, put there before any of those: a
//! character of a private area, which takes a column of its own and so never combines.

use alacritty_terminal::term::cell::Cell;

/// The first of the marks; those that follow are for each set of attributes.
const FIRST: u32 = 0x10_ff00;

/// A set of attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes(u8);

impl Attributes {
    pub(super) const BLINK: Self = Self(1);
    pub(super) const OVERLINE: Self = Self(2);
    /// Selective erasing leaves it.
    pub(super) const PROTECTED: Self = Self(4);
    const ALL: u8 = 7;

    /// Those of a cell, or of what a cursor writes.
    pub(super) fn of(cell: &Cell) -> Self {
        let mark = cell.zerowidth().and_then(<[char]>::first).copied();
        mark.and_then(Self::from_mark).unwrap_or_default()
    }

    pub(super) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of these that are not among the others.
    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Changes what a cursor writes.
    pub(super) fn change(template: &mut Cell, change: impl FnOnce(Self) -> Self) {
        let had = Self::of(template);
        let Self(has) = change(had);
        if Self(has) == had {
            return;
        }
        let mut cell = Cell::default();
        cell.set_underline_color(template.underline_color());
        cell.set_hyperlink(template.hyperlink());
        if let Some(mark) = char::from_u32(FIRST + u32::from(has)).filter(|_| has != 0) {
            cell.push_zerowidth(mark);
        }
        template.extra = cell.extra;
    }

    fn from_mark(mark: char) -> Option<Self> {
        let set = u8::try_from(u32::from(mark).checked_sub(FIRST)?).ok()?;
        (1..=Self::ALL).contains(&set).then_some(Self(set))
    }
}

impl std::ops::BitOr for Attributes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What combines with a cell's character.
pub(super) fn combining(cell: &Cell) -> &[char] {
    match cell.zerowidth() {
        Some([mark, rest @ ..]) if Attributes::from_mark(*mark).is_some() => rest,
        Some(all) => all,
        None => &[],
    }
}
