//! From a raw record to a conversion, or to the reasons why not: pure and deterministic.
