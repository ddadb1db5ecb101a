-- The postback of each of these rows. What they said is left short: no report reads it.
INSERT INTO postbacks_g1
    (id, received_at, source, network, account, via, outcome, reasons, raw, remote, kafka_topic,
     kafka_partition, kafka_offset, conversion_key, key_day, version)
WITH
    number AS n,
    n % 100 = 99 AS is_revision,
    if(is_revision, n - 60, n) AS c,
    multiIf(c % 20 < 12, 'rakuten-us', c % 20 < 17, 'rakuten-uk', 'partner') AS whose,
    toDateTime64('{first_day} 00:00:00', 6, 'UTC') AS first,
    first + toIntervalMicrosecond(intDiv(c * {days} * 86400, {rows}) * 1000000 + c % 1000000) AS occurred
SELECT
    reinterpretAsUUID(sipHash128('postback', n)) AS id,
    occurred + toIntervalSecond(300 + if(is_revision, 864000, 0)) AS received_at,
    whose AS source,
    if(whose = 'partner', 'other', 'rakuten') AS network,
    whose AS account,
    'http' AS via,
    if(n % 1000 = 7, 'rejected', 'accepted') AS outcome,
    if(n % 1000 = 7, ['missing_identity'], []) AS reasons,
    concat('{"v":1,"n":', toString(n), '}') AS raw,
    '203.0.113.7' AS remote,
    'postbacks.raw' AS kafka_topic,
    toUInt32(n % 12) AS kafka_partition,
    intDiv(n, 12) AS kafka_offset,
    reinterpretAsUUID(sipHash128(c)) AS conversion_key,
    if(whose = 'partner', toDate('1970-01-01') + toUInt16(cityHash64(c) % 16), toDate(occurred)) AS key_day,
    bitShiftLeft(toUInt128(1), 96) + n AS version
FROM numbers({from}, {count})
