//! The icons, drawn here on a grid of 16.

use leptos::prelude::*;

/// The name of an icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IconName {
    /// Go back to the previous page.
    Back,
    /// Close or discard something.
    Cross,
    /// Add or start something.
    Plus,
    /// Search in the page.
    Search,
    /// Show more in a menu.
    More,
    /// Delete or remove something.
    Bin,
    /// Go to the end.
    Down,
    /// Go to the previous match.
    Up,
    /// A terminal, as a prompt.
    Prompt,
    /// Show or change options.
    Sliders,
    /// A theme that follows the system.
    System,
    /// The light theme, as a sun.
    Sun,
    /// The dark theme, as a moon.
    Moon,
    /// Fill the place that is available.
    Fit,
    /// Try again after a failure.
    Again,
    /// Clients that follow a session.
    Eye,
    /// A keyboard and its keys.
    Keyboard,
    /// Text, as lines of it.
    Text,
    /// Leave, as by signing out.
    Leave,
    /// A project, as a folder.
    Folder,
    /// Change a name or details.
    Pencil,
    /// Duplicate, as two sheets.
    Copy,
    /// Fork, as two branches.
    Fork,
    /// Show details and information.
    Info,
    /// Everything, as a stack.
    Stack,
    /// The palette of all commands.
    Command,
    /// The documentation, as a book.
    Book,
    /// Stop the current turn.
    Stop,
    /// Send, as an arrow upwards.
    Send,
    /// Something is done or allowed.
    Check,
    /// Attach an image.
    Image,
    /// Access, as a key.
    Key,
    /// Put something to the right.
    SplitRight,
    /// Put something below.
    SplitBelow,
    /// Let one part cover the others.
    Zoom,
}

impl IconName {
    const fn path(self) -> &'static str {
        match self {
            Self::Back => "M10 3.5 5.5 8l4.5 4.5",
            Self::Cross => "m4 4 8 8M12 4l-8 8",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Search => "M7 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9ZM10.3 10.3 13.5 13.5",
            Self::More => "M3.5 8h.01M8 8h.01M12.5 8h.01",
            Self::Bin => "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.7 7v4M9.3 7v4",
            Self::Down => "M3.5 6 8 10.5 12.5 6",
            Self::Up => "M3.5 10 8 5.5l4.5 4.5",
            Self::Prompt => "M3 4.5 6.5 8 3 11.5M8.5 12H13",
            Self::Sliders => "M2.5 5h6M12 5h1.5M2.5 11H4M7.5 11h6M10.2 3.3v3.4M5.8 9.3v3.4",
            Self::System => "M2.5 3h11v7.5h-11zM6 13.5h4M8 10.5v3",
            Self::Sun => {
                "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5\
                 M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1"
            }
            Self::Moon => "M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6Z",
            Self::Fit => "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
            Self::Again => "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.7h-2.7",
            Self::Eye => {
                "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8ZM8 9.8a1.8 1.8 0 1 0 \
                 0-3.6 1.8 1.8 0 0 0 0 3.6Z"
            }
            Self::Keyboard => {
                "M1.5 4h13v8h-13zM4 6.7h.01M6.7 6.7h.01M9.3 6.7h.01M12 6.7h.01M5 9.5h6"
            }
            Self::Text => "M3 3.5h10M3 6.5h10M3 9.5h10M3 12.5h6",
            Self::Folder => "M1.5 4.5v8h13v-7H8L6.5 3.5h-5z",
            Self::Pencil => "M3 13l.6-2.9L10.4 3.3l2.3 2.3-6.8 6.8zM9 4.7 11.3 7",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Fork => {
                "M4.5 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM11.5 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 \
                 0 0 0 3ZM8 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4.5 5.5v1c0 1.5 3.5 1 3.5 4M11.5 \
                 5.5v1c0 1.5-3.5 1-3.5 4"
            }
            Self::Info => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.5v3.3M8 5.2h.01",
            Self::Stack => "M2 5.2 8 2.5l6 2.7-6 2.7zM2.5 8 8 10.6 13.5 8M2.5 10.8 8 13.4l5.5-2.6",
            Self::Command => {
                "M6 6h4v4H6zM6 6H4.5A1.5 1.5 0 1 1 6 4.5zM10 6V4.5A1.5 1.5 0 1 1 11.5 6zM10 \
                 10h1.5a1.5 1.5 0 1 1-1.5 1.5zM6 10v1.5A1.5 1.5 0 1 1 4.5 10z"
            }
            Self::Book => {
                "M8 4C6.8 3 4.8 2.7 2.5 3v9c2.3-.3 4.3 0 5.5 1M8 4c1.2-1 3.2-1.3 5.5-1v9c-2.3-.3-4.3 \
                 0-5.5 1M8 4v9"
            }
            Self::Stop => "M4.5 4.5h7v7h-7z",
            Self::Send => "M8 13V3.5M4 7.5l4-4 4 4",
            Self::Check => "M3 8.5 6.5 12 13 4.5",
            Self::Image => "M2.5 3h11v10h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6h.01",
            Self::SplitRight => "M2.5 3h11v10h-11zM8 3v10M10.8 6.3v3.4M9.6 8h2.4",
            Self::SplitBelow => "M2.5 3h11v10h-11zM2.5 8h11M6.3 10.5h3.4M8 9.4v2.2",
            Self::Zoom => "M2.5 6.5v-4h4M13.5 9.5v4h-4M2.5 2.5l4 4M13.5 13.5l-4-4",
            Self::Key => "M9.8 2.5a3.7 3.7 0 1 1-2.5 6.4L2.5 13.6v-2.3h2V9.2h1.9M10.7 5.3h.01",
            Self::Leave => "M9.5 2.5h-6v11h6M6.5 8h7M11 5.5 13.5 8 11 10.5",
        }
    }
}

/// An icon. Screen readers skip it: the control around it has the label.
#[component]
pub fn Icon(
    /// The icon to draw.
    name: IconName,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=name.path() />
        </svg>
    }
}

/// Moorline's mark, its logo.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect class="mark-ground" width="32" height="32" rx="8" />
            <path class="mark-prompt" d="M9 8.5l6 5.5-6 5.5" />
            <path class="mark-line" d="M8 24.5c2.7-2.2 5.3-2.2 8 0s5.3 2.2 8 0" />
        </svg>
    }
}
