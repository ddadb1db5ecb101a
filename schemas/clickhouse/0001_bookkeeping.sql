-- What Postback knows about its own tables. Every statement can be repeated, also by several
-- processes at once. The block number column numbers inserts in the order in which the server took
-- them, and keeps that through merges: "the first row counts" is decided by it, not by clocks.

CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32 COMMENT 'Number of the migration: the digits before its file name',
    name String COMMENT 'Rest of the file name, without its ending',
    digest String COMMENT 'BLAKE3 of the file as it was applied, in hex',
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was applied, UTC'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Migrations that were applied. Two processes that migrate at once may each leave a row.';

CREATE TABLE IF NOT EXISTS generations
(
    number UInt32 COMMENT 'Number of the generation: its tables are postbacks_gN and conversions_gN, its consumer group ends in -gN',
    normaliser_version UInt32 COMMENT 'Version of the normaliser that loads it; a consumer with another one leaves it alone',
    rules String COMMENT 'Rules that it was made with (profiles, each source''s mapping), as JSON',
    made_by String COMMENT 'Program and version that made it',
    made_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was made, UTC'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Generations of tables, each loaded from the raw records with one set of rules. The first row of a number counts.';

CREATE TABLE IF NOT EXISTS generation_events
(
    number UInt32 COMMENT 'The generation',
    event LowCardinality(String) COMMENT 'What became of it: activated, dropped, …',
    detail String COMMENT 'More about it, as JSON; empty where there is nothing to say',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was recorded, UTC'
)
ENGINE = MergeTree
ORDER BY recorded_at
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'What became of each generation. The generation that was activated last is the one that readers see.';

CREATE TABLE IF NOT EXISTS account_identities
(
    account LowCardinality(String) COMMENT 'The publisher''s account with a network, as in the configuration',
    identity LowCardinality(String) COMMENT 'What makes two postbacks one conversion: transaction_id, order, or none',
    key_day LowCardinality(String) COMMENT 'Where key_day comes from: date, the UTC day of the network''s immutable date; or bucket, one of 16 days by the key''s hash',
    frozen_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was recorded, UTC'
)
ENGINE = MergeTree
ORDER BY account
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Identity of each account''s conversions, fixed for good when the account is first seen: under another one they would count twice. The first row of an account counts.';
