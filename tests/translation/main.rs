//! Translation and the status that follows from it. A binary of its own, since a test of `suite` measures its process.

mod agic;
mod golden;
mod status;
mod translator;
