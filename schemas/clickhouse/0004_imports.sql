-- Files that were imported: how far each is, so that an interrupted one goes on. Of no generation:
-- their lines are raw records in Kafka.

CREATE TABLE IF NOT EXISTS imports_log
(
    id UUID COMMENT 'Id of the import: one file brought in once',
    step UInt64 COMMENT 'Number of the note: the highest of one id counts',
    about LowCardinality(String) COMMENT 'What stands in the file: orders or statements',
    source LowCardinality(String) COMMENT 'Source under which its lines are recorded',
    file String COMMENT 'Name of the file, without its folder',
    digest String COMMENT 'BLAKE3 of the whole file, in hex: the same file is recognised under any name',
    started_at DateTime64(6, 'UTC') COMMENT 'When it was begun, UTC: received_at of its first line',
    rows UInt64 COMMENT 'Rows of the file that are done with, from its beginning',
    sent UInt64 COMMENT 'Of them in Kafka',
    refused UInt64 COMMENT 'Of them refused: they are in no topic',
    is_finished Bool COMMENT 'All of the file is done with',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When this was noted, UTC'
)
ENGINE = ReplacingMergeTree(step)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Notes of imports on how far they are; the view imports has the newest of each.';

CREATE VIEW IF NOT EXISTS imports AS
SELECT * FROM imports_log FINAL
COMMENT 'Files of own orders and statements that were imported, each once, with how far it is.';
