ALTER TABLE postbacks_g{generation}
    ADD COLUMN IF NOT EXISTS flags Array(LowCardinality(String)) COMMENT 'What is remarkable about this row: raw_replaced',
    ADD COLUMN IF NOT EXISTS detail String COMMENT 'What ClickHouse said against this row; empty where it took it as it was',
    ADD INDEX IF NOT EXISTS conversion_key_bloom conversion_key TYPE bloom_filter(0.01) GRANULARITY 1,
    COMMENT COLUMN outcome 'accepted: there is a row of it, of an array of orders some; rejected: there is none, and reasons says why',
    COMMENT COLUMN reasons 'Why it was rejected, or, of an accepted array of orders, why some of them were; otherwise empty'
