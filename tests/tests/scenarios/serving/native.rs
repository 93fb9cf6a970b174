//! Of the native relay alone.

mod database;
mod ending;
mod files;
mod folders;
mod http2;
mod options;
mod reach;
mod reading;
