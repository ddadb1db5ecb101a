-- Conversions of a year, in the order in which they come: three accounts, the last of a network
-- without a date. Every hundredth row is a later revision of a conversion that is there already, and
-- every second one of these reverses it.
INSERT INTO conversions_g1
WITH
    number AS n,
    n % 100 = 99 AS is_revision,
    if(is_revision, n - 60, n) AS c,
    multiIf(c % 20 < 12, 'rakuten-us', c % 20 < 17, 'rakuten-uk', 'partner') AS whose,
    whose = 'partner' AS is_undated,
    sipHash128(c) AS key,
    toDateTime64('{first_day} 00:00:00', 6, 'UTC') AS first,
    -- In order, spread over the days.
    first + toIntervalMicrosecond(intDiv(c * {days} * 86400, {rows}) * 1000000 + c % 1000000) AS occurred,
    occurred + toIntervalSecond(300 + if(is_revision, 864000, 0)) AS came,
    cityHash64(c) AS random
SELECT
    whose AS source,
    if(is_undated, 'other', 'rakuten') AS network,
    whose AS account,
    reinterpretAsUUID(key) AS conversion_key,
    if(is_undated, toDate('1970-01-01') + toUInt16(random % 16), toDate(occurred)) AS key_day,
    reinterpretAsUUID(sipHash128('postback', n)) AS postback_id,
    if(c % 5 = 0, 'signal', 'transaction') AS kind,
    if(is_revision AND n % 200 = 199, 'reversed', 'reported') AS status,
    lower(hex(key)) AS transaction_id,
    toString(1900000000 + intDiv(c, 3)) AS order_id,
    if(c % 17 = 0, '', concat('clk', lower(hex(cityHash64('click', c))))) AS click_id,
    CAST(map(), 'Map(String, String)') AS sub_ids,
    toString(36000 + random % 200) AS advertiser_id,
    '3817122' AS publisher_id,
    toString(700000 + random % 500) AS offer_id,
    concat('SKU-', toString(random % 20000)) AS sku,
    concat('Article ', toString(random % 20000), ' of the autumn collection') AS product_name,
    toDecimal64(1 + random % 3, 4) AS quantity,
    toDecimal64((random % 30000) / 100 * if(is_revision AND n % 400 = 399, -1, 1), 4) AS sale_amount,
    toDecimal64(intDiv(random % 30000, 20) / 100 * if(is_revision AND n % 400 = 399, -1, 1), 4) AS commission,
    ['USD', 'EUR', 'GBP', 'JPY'][1 + random % 4] AS currency,
    currency AS commission_currency,
    occurred AS occurred_at,
    came AS processed_at,
    came AS received_at,
    if(click_id = '', ['missing_click_id'], []) AS flags,
    map('transaction_type', ['realtime'], 'commission_list_id', [toString(random % 100)]) AS extra,
    bitShiftLeft(toUInt128(toUnixTimestamp64Micro(came)), 64) + n AS revision
FROM numbers({from}, {count})
