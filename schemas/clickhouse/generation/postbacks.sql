CREATE TABLE IF NOT EXISTS postbacks_g{generation}
(
    id UUID COMMENT 'Id of the raw record: the x-postback-id of the answer to the network',
    received_at DateTime64(6, 'UTC') COMMENT 'When the request was read whole, UTC; the broker''s time where the bytes are no record',
    source LowCardinality(String) COMMENT 'Source that the URL key named; empty where the bytes are no record',
    network LowCardinality(String) COMMENT 'Affiliate network of the source; empty where the source is unknown',
    account LowCardinality(String) COMMENT 'Publisher''s account with the network; empty where the source is unknown',
    via LowCardinality(String) COMMENT 'How it came: http, import, backfill; empty where the bytes are no record',
    outcome LowCardinality(String) COMMENT 'accepted: there is a row of it, of an array of orders some; rejected: there is none, and reasons says why',
    reasons Array(LowCardinality(String)) COMMENT 'Why it was rejected, or, of an accepted array of orders, why some of them were; otherwise empty',
    raw String COMMENT 'The raw record as it stands in Kafka (JSON); bytes that are not UTF-8 as base64: and their base64; blake3: and its hash where flags say raw_replaced' CODEC(ZSTD(1)),
    remote String COMMENT 'Sender''s address without port; empty where there was no connection',
    kafka_topic LowCardinality(String) COMMENT 'Topic that it was read from',
    kafka_partition UInt32 COMMENT 'Partition that it was read from',
    kafka_offset UInt64 COMMENT 'Offset that it was read at',
    conversion_key Nullable(UUID) COMMENT 'Key of its conversion, or the one that a rejected postback would have had; NULL where there is none',
    key_day Nullable(Date) COMMENT 'key_day of its conversion, as conversion_key',
    version UInt128 COMMENT 'The highest of one id counts: bit 96 set unless rejected as refused_by_server, then inverted partition (32 bits), then inverted offset (64 bits)',
    flags Array(LowCardinality(String)) COMMENT 'What is remarkable about this row: raw_replaced',
    detail String COMMENT 'What ClickHouse said against this row; empty where it took it as it was',
    INDEX conversion_key_bloom conversion_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (toDate(received_at), id)
SETTINGS {settings}, merge_selector_base = 10
COMMENT 'Generation {generation}: one row per received postback. The same postback may stand here more than once; the view postbacks counts it once.'
