//! What people ask of the tables: one file per report, a query in and typed rows out.
