-- One row for each order number of the own side or of the networks', with what both say of it.
SELECT
    countIf(is_own) > 0 AS has_own,
    countIf(is_sale) AS sales,
    if(has_own, minIf(placed, is_own), minIf(placed, is_sale)) AS occurred_at,
    -- Own orders often do not know the advertiser; the networks do.
    if(maxIf(advertiser, is_own) != '', maxIf(advertiser, is_own), maxIf(advertiser, is_sale)) AS advertiser_id,
    if(sales > 0, maxIf(net, is_sale), maxIf(net, is_own)) AS network,
    if(has_own, maxIf(through, is_own), maxIf(through, is_sale)) AS source,
    if(has_own, maxIf(money, is_own), maxIf(money, is_sale)) AS currency,
    maxIf(state, is_own) AS own_status,
    sumIf(amount, is_own) AS own_amount,
    sumIf(standing, is_sale) AS their_amount,
    maxIf(click, is_own) AS own_click,
    maxIf(click, is_sale) AS their_click,
    -- Taken back as a whole: by negative transactions that outweigh it, or by its status.
    sales > 0 AND countIf(is_sale AND (amount < 0 OR state IN ('reversed', 'rejected'))) > 0 AND their_amount <= 0 AS is_reversed,
    has_own AND sales > 0 AND NOT is_reversed AS is_matched,
    is_matched AND maxIf(money, is_own) != maxIf(money, is_sale) AS other_currency,
    is_matched AND own_status IN ('cancelled', 'returned', 'out_of_network') AS is_standing,
    is_matched AND NOT is_standing AND NOT other_currency AND own_amount != their_amount AS other_amount,
    is_matched AND own_click != '' AND own_click != their_click AS other_click,
    multiIf(
        NOT has_own, 'extra',
        is_matched, 'matched',
        is_reversed, 'reversed',
        own_status IN ('cancelled', 'returned', 'out_of_network'), own_status,
        -- A line of a statement that takes back what never came.
        own_amount < 0 OR (own_status = 'reversed' AND own_amount = 0), 'reversed',
        occurred_at >= fromUnixTimestamp64Micro({mature:Int64}), 'immature',
        countIf(kind = 'signal') > 0, 'signal_only',
        'missing') AS class{texts}
FROM
(
    SELECT
        kind, toString(status) AS state, toString(source) AS through, toString(network) AS net,
        toString(currency) AS money, advertiser_id AS advertiser, order_id AS number, click_id AS click,
        ifNull(sale_amount, toDecimal64(0, 4)) AS amount,
        if(state IN ('reversed', 'rejected') AND amount > 0, toDecimal64(0, 4), amount) AS standing,
        ifNull(occurred_at, received_at) AS placed,
        kind = {own:String} AS is_own,
        kind = 'transaction' AS is_sale
    FROM {conversions} FINAL
    WHERE order_id != ''
        AND placed >= fromUnixTimestamp64Micro({from:Int64}) - toIntervalDay({margin:UInt8})
        AND placed < fromUnixTimestamp64Micro({to:Int64}) + toIntervalDay({margin:UInt8})
        AND (
            kind = {own:String} AND source IN {sources:Array(String)}
                AND placed >= fromUnixTimestamp64Micro({from:Int64}) AND placed < fromUnixTimestamp64Micro({to:Int64})
                AND {only}
            OR kind IN ('transaction', 'signal') AND account IN {accounts:Array(String)})
        AND (account, key_day) IN (
            SELECT DISTINCT account, key_day FROM {conversions}
            WHERE ifNull(occurred_at, received_at) >= fromUnixTimestamp64Micro({from:Int64}) - toIntervalDay({margin:UInt8})
                AND ifNull(occurred_at, received_at) < fromUnixTimestamp64Micro({to:Int64}) + toIntervalDay({margin:UInt8}))
)
GROUP BY sipHash128({key})
-- A sale of the days around the range has its order there.
HAVING has_own OR (sales > 0 AND {is_whole:Bool}
    AND occurred_at >= fromUnixTimestamp64Micro({from:Int64}) AND occurred_at < fromUnixTimestamp64Micro({to:Int64}))
