ALTER TABLE postbacks_g{generation}
    ADD COLUMN IF NOT EXISTS flags Array(LowCardinality(String)) COMMENT 'What is remarkable about this row: raw_replaced',
    ADD COLUMN IF NOT EXISTS detail String COMMENT 'What ClickHouse said against this row; empty where it took it as it was',
    ADD INDEX IF NOT EXISTS conversion_key_bloom conversion_key TYPE bloom_filter(0.01) GRANULARITY 1
