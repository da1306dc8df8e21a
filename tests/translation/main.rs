//! Translation, and what is told of it: on its own, so that its memory is not that of a gateway's test.

mod golden;
mod status;
mod translator;
