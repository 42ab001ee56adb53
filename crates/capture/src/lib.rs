//! 
#![warn(missing_docs)]
