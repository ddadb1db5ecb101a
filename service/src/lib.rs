//! Lifecycle, admin listener, metrics, tracing and Kafka access that the services share.
