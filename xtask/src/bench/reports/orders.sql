-- Own orders of the last sixty days: one for each order number of the networks, but every fiftieth
-- is missing on either side.
INSERT INTO conversions_g1
SELECT
    'shop' AS source,
    'orders' AS network,
    'shop' AS account,
    reinterpretAsUUID(sipHash128('order', number)) AS conversion_key,
    toDate(placed) AS key_day,
    reinterpretAsUUID(sipHash128('own', number)) AS postback_id,
    'order' AS kind,
    ['placed', 'placed', 'placed', 'cancelled', 'returned'][1 + cityHash64(number) % 5] AS status,
    '' AS transaction_id,
    if(cityHash64(number) % 50 = 7, concat('own-', number), number) AS order_id,
    click AS click_id,
    CAST(map(), 'Map(String, String)') AS sub_ids,
    '' AS advertiser_id,
    '' AS publisher_id,
    '' AS offer_id,
    '' AS sku,
    '' AS product_name,
    NULL AS quantity,
    toDecimal64(amount, 4) AS sale_amount,
    NULL AS commission,
    money AS currency,
    money AS commission_currency,
    placed AS occurred_at,
    placed AS processed_at,
    placed AS received_at,
    [] AS flags,
    CAST(map(), 'Map(String, Array(String))') AS extra,
    bitShiftLeft(toUInt128(toUnixTimestamp64Micro(placed)), 64) AS revision
FROM
(
    SELECT
        order_id AS number, min(occurred_at) AS placed, any(click_id) AS click,
        sum(sale_amount) AS amount, any(toString(currency)) AS money
    FROM conversions_g1
    WHERE kind = 'transaction' AND occurred_at >= today() - 60
    GROUP BY number
)
WHERE cityHash64(number) % 50 != 3
