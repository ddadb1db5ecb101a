CREATE TABLE engine_queue
(
    id UUID,
    source LowCardinality(String),
    received_at DateTime64(6, 'UTC'),
    query Tuple(utf8 String)
)
ENGINE = Kafka
SETTINGS kafka_broker_list = '{brokers}', kafka_topic_list = '{topic}', kafka_group_name = 'bench-engine',
    kafka_format = 'JSONEachRow', input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort',
    kafka_num_consumers = {consumers}, kafka_thread_per_consumer = 1, kafka_flush_interval_ms = 1000,
    kafka_max_block_size = {block}, kafka_poll_max_batch_size = {block}
