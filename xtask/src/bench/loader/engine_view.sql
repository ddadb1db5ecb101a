CREATE MATERIALIZED VIEW engine_view TO engine_conversions AS
WITH
    concat('?', query.utf8) AS sent,
    decodeURLFormComponent(extractURLParameter(sent, 'etransaction_id')) AS tid,
    extractURLParameter(sent, 'is_event') AS is_event,
    decodeURLFormComponent(extractURLParameter(sent, 'u1')) AS u1,
    toDecimal64OrNull(extractURLParameter(sent, 'sale_amount'), 4) AS sale,
    toDecimal64OrNull(extractURLParameter(sent, 'commissions'), 4) AS earned,
    -- 'Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)' up to the zone, which is always UTC; or ISO 8601.
    parseDateTime64BestEffortOrNull(splitByString(' GMT', decodeURLFormComponent(extractURLParameter(sent, 'transaction_date')))[1], 6, 'UTC') AS occurred,
    parseDateTime64BestEffortOrNull(splitByString(' GMT', decodeURLFormComponent(extractURLParameter(sent, 'process_date')))[1], 6, 'UTC') AS processed,
    extractURLParameter(sent, 'currency') AS code
SELECT
    source,
    'rakuten' AS network,
    source AS account,
    reinterpretAsUUID(sipHash128('transaction_id', lower(tid), is_event)) AS conversion_key,
    toDate(assumeNotNull(occurred)) AS key_day,
    id AS postback_id,
    multiIf(is_event = 'N', 'transaction', is_event = 'Y', 'signal', 'unknown') AS kind,
    if(ifNull(sale, 0) < 0 OR ifNull(earned, 0) < 0, 'reversed', 'reported') AS status,
    tid AS transaction_id,
    decodeURLFormComponent(extractURLParameter(sent, 'order_id')) AS order_id,
    u1 AS click_id,
    CAST(map(), 'Map(String, String)') AS sub_ids,
    extractURLParameter(sent, 'advertiser_id') AS advertiser_id,
    extractURLParameter(sent, 'sid') AS publisher_id,
    extractURLParameter(sent, 'offer_id') AS offer_id,
    decodeURLFormComponent(extractURLParameter(sent, 'sku_number')) AS sku,
    decodeURLFormComponent(extractURLParameter(sent, 'product_name')) AS product_name,
    toDecimal64OrNull(extractURLParameter(sent, 'quantity'), 4) AS quantity,
    sale AS sale_amount,
    earned AS commission,
    code AS currency,
    code AS commission_currency,
    occurred AS occurred_at,
    processed AS processed_at,
    received_at,
    arrayFilter(flag -> flag != '', [if(u1 = '', 'missing_click_id', ''), if(sale = 0 OR earned = 0, 'zero_amount', ''),
        if(sale IS NULL OR earned IS NULL, 'missing_amount', '')]) AS flags,
    map('transaction_type', [extractURLParameter(sent, 'transaction_type')],
        'commission_list_id', [extractURLParameter(sent, 'commission_list_id')]) AS extra,
    bitShiftLeft(toUInt128(toUnixTimestamp64Micro(ifNull(processed, received_at))), 64)
        + bitShiftLeft(toUInt128(toUnixTimestamp64Milli(received_at)), 20) + bitAnd(cityHash64(id), 1048575) AS revision
FROM engine_queue
WHERE tid != '' AND occurred IS NOT NULL
