-- Runs that fetched from a network's API what the tables lack: how far each is, so that an interrupted
-- one goes on, and what it found missing. Of no generation: what they sent are raw records in Kafka.

CREATE TABLE IF NOT EXISTS backfills_log
(
    id UUID COMMENT 'Id of the run: one range of one source',
    step UInt64 COMMENT 'Number of the note: the highest of one id counts',
    source LowCardinality(String) COMMENT 'Source whose network was asked',
    range_from DateTime64(6, 'UTC') COMMENT 'Begin of the range, inclusive, by the network''s process date, UTC',
    range_to DateTime64(6, 'UTC') COMMENT 'End of the range, exclusive, by the network''s process date, UTC',
    started_at DateTime64(6, 'UTC') COMMENT 'When it was begun, UTC: received_at of what it sent',
    done_through DateTime64(6, 'UTC') COMMENT 'All before this process date is done with, and Kafka has what was sent, UTC',
    pulled UInt64 COMMENT 'Transactions that the network''s API gave, each content once',
    matched UInt64 COMMENT 'Of them in the tables with the same content, or rejected there',
    missing UInt64 COMMENT 'Of them not in the tables: sent',
    changed UInt64 COMMENT 'Of them in the tables with other content: sent',
    newer UInt64 COMMENT 'Of them in the tables with the same content and an older time of the network: sent',
    undecided UInt64 COMMENT 'Of them in the tables with other content that would not be replaced, or that says more: not sent',
    rejected UInt64 COMMENT 'Of them that can be no row by the source''s rules: sent, unless an earlier run sent the same, and rejected with a reason',
    superseded UInt64 COMMENT 'Of them older contents of a transaction that the same run saw in a newer one: not sent',
    totals Array(Tuple(why LowCardinality(String), kind LowCardinality(String), currency LowCardinality(String), transactions UInt64, sale_amount Decimal(38, 4), commission Decimal(38, 4)))
        COMMENT 'What was sent, by reason (missing, changed, newer), kind and currency: exact sums of its money; preliminary',
    is_finished Bool COMMENT 'All of the range is done with',
    made_by String COMMENT 'User who started it, and the machine, or postback-consumer',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When this was noted, UTC'
)
ENGINE = ReplacingMergeTree(step)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'Notes of backfills on how far they are; the view backfills has the newest of each.';

CREATE VIEW IF NOT EXISTS backfills AS
SELECT * FROM backfills_log FINAL
COMMENT 'Runs that fetched what was missed from a network''s API, each once, with how far it is and what it found.';
