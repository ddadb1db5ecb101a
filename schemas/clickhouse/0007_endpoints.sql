-- What the networks' APIs said of the endpoints, and what was done about it. Of no generation.

CREATE TABLE IF NOT EXISTS endpoint_history
(
    id UUID COMMENT 'Id of the note',
    source LowCardinality(String) COMMENT 'Source whose endpoint it is',
    at DateTime64(6, 'UTC') COMMENT 'When it was asked or done, by our clock, UTC',
    what LowCardinality(String) COMMENT 'poll: the API was asked; reenabled: Postback switches it on again; probe_failed: it does not, because a test postback was not answered in time; off_by_hand, on_by_hand: a person switched it by `postback endpoint`; heal_begun, heal_ended: a backfill without being asked',
    state LowCardinality(String) COMMENT 'poll: active, disabled, missing (none is registered) or unknown (the API did not say); otherwise empty',
    reason LowCardinality(String) COMMENT 'Why: of unknown the API''s trouble, of probe_failed the endpoint''s, of heal_… what was healed: switched_off, refusals or daily; otherwise empty',
    updated_at Nullable(DateTime64(6, 'UTC')) COMMENT 'poll: when the endpoint was last changed, by the network''s clock, UTC; empty where it does not say',
    is_template Nullable(Bool) COMMENT 'poll: whether the registered URL is that of the source''s newest template; empty where there is nothing to compare. The URL itself, which holds the key, is stored nowhere',
    healed_from Nullable(DateTime64(6, 'UTC')) COMMENT 'heal_…: begin of the time that is healed, inclusive, UTC',
    healed_to Nullable(DateTime64(6, 'UTC')) COMMENT 'heal_…: its end, exclusive, UTC'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (source, at, id)
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'What the networks said of the endpoints, poll by poll, and what Postback did about it. Kept for 400 days.';
