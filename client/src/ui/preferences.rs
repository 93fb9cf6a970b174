//! The user's preferences, stored by the browser.

use leptos::prelude::*;

use crate::bindings::look::{FontSize, Theme, ThemeChoice};
use crate::bindings::media::{self, MediaWatch};
use crate::bindings::page;
use crate::bindings::storage::{self, Area};
use crate::ui::when::effect;

const THEME_KEY: &str = "moorline.theme";
const FONT_KEY: &str = "moorline.font";
const KEY_BAR_KEY: &str = "moorline.keybar";
const HOLD_KEY: &str = "moorline.hold";
const NOTICES_KEY: &str = "moorline.notices";
const DARK_QUERY: &str = "(prefers-color-scheme: dark)";

/// The user's preferences for the page.
#[derive(Debug, Clone, Copy)]
pub struct Preferences {
    choice: RwSignal<ThemeChoice>,
    system: RwSignal<Theme>,
    font: RwSignal<FontSize>,
    key_bar: RwSignal<bool>,
    hold: RwSignal<bool>,
    notices: RwSignal<bool>,
}

impl Preferences {
    /// Reads the stored preferences and provides them to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let kept = |key| storage::get(Area::Browser, key).unwrap_or_default();
        let system = RwSignal::new(theme_of(media::matches(DARK_QUERY)));
        let key_bar = match kept(KEY_BAR_KEY).as_str() {
            "on" => true,
            "off" => false,
            _ => media::matches("(pointer: coarse)"),
        };
        let preferences = Self {
            choice: RwSignal::new(ThemeChoice::from_name(&kept(THEME_KEY))),
            system,
            font: RwSignal::new(FontSize::from_text(&kept(FONT_KEY))),
            key_bar: RwSignal::new(key_bar),
            hold: RwSignal::new(kept(HOLD_KEY) != "off"),
            notices: RwSignal::new(kept(NOTICES_KEY) == "on"),
        };
        let watch = media::watch(DARK_QUERY, move |dark| system.set(theme_of(dark)));
        // Lives as long as the component that provides it.
        let _: StoredValue<MediaWatch, LocalStorage> = StoredValue::new_local(watch);
        effect(move || {
            let name = ThemeChoice::Always(preferences.theme()).name();
            page::set_root_attribute("data-theme", Some(name));
        });
        provide_context(preferences);
        preferences
    }

    /// Returns the preferences that were provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the theme to draw in; tracked.
    #[must_use]
    pub fn theme(self) -> Theme {
        self.choice.get().resolve(self.system.get())
    }

    /// Returns the user's choice of a theme; tracked.
    #[must_use]
    pub fn theme_choice(self) -> ThemeChoice {
        self.choice.get()
    }

    /// Sets and stores the choice of a theme.
    pub fn choose_theme(self, choice: ThemeChoice) {
        storage::set(Area::Browser, THEME_KEY, choice.name());
        self.choice.set(choice);
    }

    /// Returns the terminal's font size; tracked.
    #[must_use]
    pub fn font(self) -> FontSize {
        self.font.get()
    }

    /// Sets and stores the terminal's font size.
    pub fn choose_font(self, font: FontSize) {
        self.set_font(font);
    }

    /// Changes the terminal's font size by `step` pixels.
    pub fn step_font(self, step: i8) {
        self.set_font(self.font.get_untracked().stepped(step));
    }

    /// Resets the terminal's font size to the default.
    pub fn reset_font(self) {
        self.set_font(FontSize::default());
    }

    /// Returns true if the key bar is shown; tracked.
    #[must_use]
    pub fn key_bar(self) -> bool {
        self.key_bar.get()
    }

    /// Shows or hides the key bar.
    pub fn toggle_key_bar(self) {
        toggle(self.key_bar, KEY_BAR_KEY);
    }

    /// Returns true if typing waits while a session's host is offline. Otherwise it is refused.
    /// Tracked.
    #[must_use]
    pub fn hold(self) -> bool {
        self.hold.get()
    }

    /// Switches between keeping and refusing what is typed while a session's host is offline.
    pub fn toggle_hold(self) {
        toggle(self.hold, HOLD_KEY);
    }

    /// Returns true if the user wants notices of questions; tracked. The browser must allow them, too.
    #[must_use]
    pub fn notices(self) -> bool {
        self.notices.get()
    }

    /// Sets and stores whether the user wants notices of questions.
    pub fn set_notices(self, wanted: bool) {
        storage::set(Area::Browser, NOTICES_KEY, if wanted { "on" } else { "off" });
        self.notices.set(wanted);
    }

    fn set_font(self, font: FontSize) {
        storage::set(Area::Browser, FONT_KEY, &font.pixels().to_string());
        self.font.set(font);
    }
}

fn toggle(choice: RwSignal<bool>, key: &str) {
    let chosen = !choice.get_untracked();
    storage::set(Area::Browser, key, if chosen { "on" } else { "off" });
    choice.set(chosen);
}

const fn theme_of(dark: bool) -> Theme {
    if dark { Theme::Dark } else { Theme::Light }
}
