//! The bench in short, without R.
