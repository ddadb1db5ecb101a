-- Orders that both sides know, by what the networks' side is of. Whether both know an order is looked up
-- by a hash before anything is summed: mostly few of either side are left. An own order without an amount
-- is compared with nothing: what is not known is not 0.
WITH
    own AS (
        SELECT
            advertiser_id, order_id, kind{own_side},
            min(currency) AS lowest_currency, max(currency) AS highest_currency,
            sum(ifNull(sale_amount, toDecimal64(0, 4))) AS sale
        FROM {conversions} FINAL
        WHERE {is_own} AND (kind = 'order' AND status = 'placed' OR kind = 'statement' AND status = 'reported')
            AND indexHint((account, key_day) IN (SELECT DISTINCT account, key_day FROM {conversions} WHERE {is_own}))
            AND order_id.size != 0
            AND cityHash64(advertiser_id, order_id) IN (
                SELECT cityHash64(advertiser_id, order_id) FROM {conversions} WHERE {within} AND kind = 'transaction')
        GROUP BY advertiser_id, order_id, kind{by_side}
        HAVING countIf(isNull(sale_amount)) = 0
    ),
    sold AS (
        SELECT
            {keys}, currency, advertiser_id, order_id{their_side},
            sum(ifNull(sale_amount, toDecimal64(0, 4))) AS sale
        FROM {conversions} FINAL
        WHERE {scope} AND {is_transaction} AND order_id.size != 0 AND account IN {accounts:Array(String)}
            AND cityHash64(advertiser_id, order_id) IN (
                SELECT cityHash64(advertiser_id, order_id) FROM {conversions} WHERE {is_own})
        GROUP BY {by}, currency, advertiser_id, order_id{by_side}
    ),
    (own.lowest_currency != sold.currency OR own.highest_currency != sold.currency OR own.sale != sold.sale) AS differs
SELECT
    {dimension} AS dimension, toString(sold.currency) AS money_currency,
    count() AS compared, countIf(differs) AS mismatched,
    maxIf(order_id, differs) AS sample
FROM sold INNER JOIN own USING (advertiser_id, order_id{by_side})
GROUP BY {by}, sold.currency
