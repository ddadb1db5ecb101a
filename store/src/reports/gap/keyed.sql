-- One row for each order number of the own side or of the networks', with what both say of it. States
-- of texts are what such an aggregation costs: so statuses, currencies and clicks are numbers here.
-- Of several own sides (see own.rs), each has its own rows; rows of their meetings are transactions that
-- no side of theirs knows.
SELECT
    -- Without a number nothing can be compared: all of that is one row, of no class.
    max(number = '') AS is_unnumbered,
    countIf(is_own) AS own_rows,
    countIf(is_sale) AS sales,
    own_rows > 0 AND NOT is_unnumbered AS has_own,
    if(has_own, minIf(placed, is_own), minIf(placed, is_sale)) AS occurred_at,
    -- Own orders often do not know the advertiser; the networks do.
    if(maxIf(advertiser, is_own) != '', maxIf(advertiser, is_own), maxIf(advertiser, is_sale)) AS advertiser_id,
    if(sales > 0, maxIf(net, is_sale), maxIf(net, is_own)) AS network,
    if(has_own, maxIf(through, is_own), maxIf(through, is_sale)) AS source,
    -- Of several currencies is none, and their amounts are no sum.
    minIf(money, is_own) != maxIf(money, is_own) AS own_is_mixed,
    minIf(money, is_sale) != maxIf(money, is_sale) AS their_is_mixed,
    if(own_is_mixed, toUInt32(0), maxIf(money, is_own)) AS own_money,
    if(their_is_mixed, toUInt32(0), maxIf(money, is_sale)) AS their_money,
    reinterpretAsString(if(has_own, own_money, their_money)) AS currency,
    -- 1 cancelled, 2 returned, 3 out of network, 4 reversed; of several lines the highest.
    maxIf(fate, is_own) AS own_fate,
    -- 1 the own side has it, 2 an amount of it is not known, which is not 0: then it is in no sum.
    max(knowledge) AS own_knowledge,
    own_knowledge = 2 AS own_is_unpriced,
    sumIf(amount, is_own) AS own_known_amount,
    if(own_is_unpriced OR own_is_mixed, toDecimal128(0, 4), own_known_amount) AS own_amount,
    sumIf(standing, is_sale) AS their_amount,
    -- The lowest bit says whose it is: an array of each side costs as much again.
    groupArrayIf(bitOr(bitAnd(click, bitNot(1::UInt64)), is_own), (is_own OR is_sale) AND click != 0 AND number != '') AS clicks,
    arrayFilter(of -> bitTest(of, 0), clicks) AS own_clicks,
    -- Taken back as a whole: by negative transactions that outweigh it, or by its status.
    sales > 0 AND countIf(is_sale AND (amount < 0 OR fate >= 4)) > 0 AND their_amount <= 0 AS is_reversed,
    has_own AND sales > 0 AND NOT is_reversed AS is_matched,
    is_matched AND NOT own_is_unpriced AND (own_is_mixed OR their_is_mixed OR own_money != their_money) AS other_currency,
    is_matched AND own_fate BETWEEN 1 AND 3 AS is_standing,
    is_matched AND NOT own_is_unpriced AND NOT is_standing AND NOT other_currency AND own_amount != their_amount
        AS other_amount,
    is_matched AND notEmpty(own_clicks)
        AND NOT hasAny(clicks, arrayMap(own -> bitXor(own, 1), own_clicks)) AS other_click,
    -- Numbers of the classes: see CLASSES of this folder.
    multiIf(
        is_unnumbered, 0,
        NOT has_own, 1,
        is_matched, 2,
        is_reversed, 3,
        own_fate BETWEEN 1 AND 3, 3 + own_fate,
        -- A line of a statement that takes back what never came.
        own_known_amount < 0 OR (own_fate = 4 AND own_known_amount = 0), 3,
        occurred_at >= fromUnixTimestamp64Micro({mature:Int64}), 7,
        countIf(kind = 'signal') > 0, 8,
        9) AS class{texts}
FROM
(
    SELECT
        kind, toString(source) AS through, toString(network) AS net, advertiser_id AS advertiser,
        order_id AS number, reinterpretAsUInt32(toString(currency)) AS money,
        if(click_id = '', 0, xxh3(click_id)) AS click,
        transform(status, ['cancelled', 'returned', 'out_of_network', 'reversed', 'rejected'], [1, 2, 3, 4, 5], 0) AS fate,
        ifNull(sale_amount, toDecimal64(0, 4)) AS amount,
        isNull(sale_amount) AS is_unpriced,
        if(fate >= 4 AND amount > 0, toDecimal64(0, 4), amount) AS standing,
        ifNull(occurred_at, received_at) AS placed,
        kind = {own:String} AS is_ours{side},
        -- Own orders of the days around the range are known, and nothing else is said of them.
        is_ours AND placed >= fromUnixTimestamp64Micro({from:Int64}) AND placed < fromUnixTimestamp64Micro({to:Int64}){is_real}
            AS is_own,
        toUInt8(is_ours + (is_own AND is_unpriced)) AS knowledge,
        kind = 'transaction' AS is_sale{also}
    FROM {conversions} FINAL
    WHERE placed >= fromUnixTimestamp64Micro({from:Int64}) - toIntervalDay({margin:UInt8})
        AND placed < fromUnixTimestamp64Micro({to:Int64}) + toIntervalDay({margin:UInt8})
        AND (
            kind = {own:String} AND source IN {sources:Array(String)}
                AND ({is_whole:Bool}
                    OR placed >= fromUnixTimestamp64Micro({from:Int64}) AND placed < fromUnixTimestamp64Micro({to:Int64}))
                AND {only}
            OR kind IN ('transaction', 'signal') AND account IN {accounts:Array(String)})
        -- Chooses granules, and is not looked up for each row again.
        AND indexHint((account, key_day) IN (
            SELECT DISTINCT account, key_day FROM {conversions}
            WHERE ifNull(occurred_at, received_at) >= fromUnixTimestamp64Micro({from:Int64}) - toIntervalDay({margin:UInt8})
                AND ifNull(occurred_at, received_at) < fromUnixTimestamp64Micro({to:Int64}) + toIntervalDay({margin:UInt8})))
)
-- Of 100 million orders, two have one hash in one of 3,700 cases.
GROUP BY {by_side}if(number = '', 0, xxh3({key}))
-- A sale of the days around the range has its order there.
HAVING is_unnumbered OR has_own OR (sales > 0 AND {is_whole:Bool} AND own_knowledge = 0{is_meeting}
    AND occurred_at >= fromUnixTimestamp64Micro({from:Int64}) AND occurred_at < fromUnixTimestamp64Micro({to:Int64}))
