CREATE TABLE IF NOT EXISTS conversions_g{generation}
(
    source LowCardinality(String) COMMENT 'Source that the postback came through',
    network LowCardinality(String) COMMENT 'Affiliate network of the source',
    account LowCardinality(String) COMMENT 'Publisher''s account with the network; conversions are unique per account',
    conversion_key UUID COMMENT 'What makes two postbacks of an account one conversion: a hash of the network''s ids, or the postback''s own id',
    key_day Date COMMENT 'A day that never changes for a conversion: UTC day of the network''s immutable date, or a bucket 1970-01-01 to 1970-01-16',
    postback_id UUID COMMENT 'Postback that this revision was made of: postbacks.id',
    kind LowCardinality(String) COMMENT 'transaction; signal: an early notice that pays nothing; unknown: cannot be told, never summed; order: an own order; statement: a line of a network''s statement',
    status LowCardinality(String) COMMENT 'reported, pending, approved, rejected or reversed; of an own order placed, cancelled, returned or out_of_network',
    transaction_id String COMMENT 'The network''s id of the transaction; empty where missing',
    order_id String COMMENT 'The advertiser''s order; empty where missing',
    click_id String COMMENT 'The publisher''s own id, put into the link (u1, sub id); empty: unattributed',
    sub_ids Map(String, String) COMMENT 'Further ids of the publisher, by their names',
    advertiser_id String COMMENT 'The network''s id of the advertiser; empty where missing',
    publisher_id String COMMENT 'The network''s id of the publisher or site; empty where missing',
    offer_id String COMMENT 'The network''s id of the offer; empty where missing',
    sku String COMMENT 'Article; empty where missing',
    product_name String COMMENT 'Article''s name; empty where missing',
    quantity Nullable(Decimal(18, 4)) COMMENT 'Pieces; NULL where missing or unreadable',
    sale_amount Nullable(Decimal(18, 4)) COMMENT 'Value of the sale in currency, negative for a reversal; NULL where missing or unreadable; preliminary',
    commission Nullable(Decimal(18, 4)) COMMENT 'Commission in commission_currency, negative for a reversal; NULL where missing or unreadable; preliminary',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of sale_amount; empty where unknown',
    commission_currency LowCardinality(String) COMMENT 'ISO 4217 code of commission; empty where unknown',
    occurred_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the sale took place, by the network, UTC; NULL where missing or unreadable',
    processed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the network processed it, UTC; NULL where missing or unreadable',
    received_at DateTime64(6, 'UTC') COMMENT 'When the postback was received, UTC',
    flags Array(LowCardinality(String)) COMMENT 'What is remarkable about it: missing_click_id, unreplaced_macro, …',
    extra Map(String, Array(String)) COMMENT 'Every parameter that no column took, repeats included',
    revision UInt128 COMMENT 'The highest of one (account, conversion_key) counts: the network''s time in µs (64 bits), received_at in ms (44), hash of the postback''s id (20)',
    INDEX occurred_at_range occurred_at TYPE minmax GRANULARITY 1,
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX click_id_bloom click_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(key_day)
ORDER BY (account, key_day, conversion_key)
SETTINGS {settings}
COMMENT 'Generation {generation}: every revision of every conversion; the views conversions, orders and statements have the newest of each. Preliminary: networks settle by their own statements.'
