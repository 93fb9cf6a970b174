//! Tests the machine with recorded lines of agents.

mod bench;
mod faults;
mod forks;
mod life;
mod outside;
mod question_sizes;
mod questions;
mod random;
mod sizes;
mod turns;
mod updates;
mod version2;
