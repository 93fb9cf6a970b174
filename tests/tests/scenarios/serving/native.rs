//! Of the native relay alone.

mod database;
mod ending;
mod files;
mod folders;
mod options;
mod reach;
mod reading;
