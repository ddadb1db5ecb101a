//! A network that sends postbacks, and its ledger.
