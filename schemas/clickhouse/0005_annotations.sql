-- What people did, to be held beside what the numbers do. Of no generation.

CREATE TABLE IF NOT EXISTS annotations
(
    id UUID COMMENT 'Id of the mark',
    at DateTime64(6, 'UTC') COMMENT 'When it happened, UTC',
    text String COMMENT 'What happened, in the words of who marked it',
    source LowCardinality(String) COMMENT 'Source that it is about; empty: all of them',
    made_by String COMMENT 'User who marked it, and the machine',
    made_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When it was marked, UTC'
)
ENGINE = MergeTree
ORDER BY (at, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Marks of people: deploys, changes at a network, campaigns. `postback watch` names a mark that is near the beginning of a break.';
