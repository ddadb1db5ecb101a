-- What ingest refused. Of no generation: nothing here depends on rules. A record that was loaded twice
-- is the same twice, so no version is needed.

CREATE TABLE IF NOT EXISTS refusals_log
(
    id UUID COMMENT 'Id of the refusal, made by ingest',
    refused_at DateTime64(6, 'UTC') COMMENT 'When the request was refused, UTC',
    reason LowCardinality(String) COMMENT 'Why: not_found, wrong_method, …',
    status UInt16 COMMENT 'Status of the answer; the sender may have gone before it',
    source LowCardinality(String) COMMENT 'Source of the URL key, also a disabled one; empty without a known key',
    key LowCardinality(String) COMMENT 'Name of that URL key; empty without a known key',
    method String COMMENT 'Method, masked; empty where none could be read',
    path String COMMENT 'Path, masked and cut; empty where none could be read' CODEC(ZSTD(1)),
    query String COMMENT 'Query, masked and cut' CODEC(ZSTD(1)),
    query_bytes UInt64 COMMENT 'Bytes of the query as it came, as far as it was read',
    remote String COMMENT 'Sender''s address without port',
    user_agent String COMMENT 'Header user-agent, masked and cut' CODEC(ZSTD(1)),
    cut Array(LowCardinality(String)) COMMENT 'Columns that were longer: method, path, query, user_agent',
    suppressed UInt64 COMMENT 'Refusals of this reason by the same process, since its last such row, that have no row of their own: sum(1 + suppressed) are all'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(refused_at)
ORDER BY (toDate(refused_at), id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    non_replicated_deduplication_window = 0, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Refused requests, cut short and masked. The same refusal may stand here more than once; the view refusals counts it once.';

CREATE VIEW IF NOT EXISTS refusals AS
SELECT * FROM refusals_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per recorded refusal, each once. Rate-limited: sum(1 + suppressed) counts all refusals.';
