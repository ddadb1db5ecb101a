-- Several generations beside each other: what each was made from, what each is loaded by.

ALTER TABLE generations ADD COLUMN IF NOT EXISTS base UInt32 DEFAULT 0 COMMENT 'Generation whose postbacks it takes over where Kafka has them no more; 0 for the first one' AFTER normaliser_version;

ALTER TABLE generations ADD COLUMN IF NOT EXISTS activate Bool DEFAULT false COMMENT 'True: readers are switched to it as soon as it is whole' AFTER base;

ALTER TABLE account_identities ADD COLUMN IF NOT EXISTS generation UInt32 DEFAULT 1 COMMENT 'Generation in which it holds; the first row of a generation and account counts' FIRST;

CREATE TABLE IF NOT EXISTS generation_rules
(
    number UInt32 COMMENT 'The generation',
    source LowCardinality(String) COMMENT 'Source whose rules these are',
    change LowCardinality(String) COMMENT 'added: the source was new, the first row counts; accepted: an operator took changed rules into the running generation, the last row counts',
    rule String COMMENT 'The rules, as JSON, in the form of generations.rules',
    offsets String COMMENT 'For accepted: next offsets of the generation''s consumer group at that moment, by partition, as JSON; empty otherwise',
    recorded_by String COMMENT 'Program and version that recorded it',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was recorded, UTC'
)
ENGINE = MergeTree
ORDER BY (number, source)
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Rules that a generation got after it was made. Everything else by which it is loaded stands in generations.rules.';
