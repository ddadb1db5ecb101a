-- What amounts are like, by day and as a whole (is_all), and what they were like in the range before, as a
-- whole. All rows once, by day; everything is made of these.
WITH
    summed AS (
        WITH ifNull(sale_amount, toDecimal64(0, 4)) AS sale
        SELECT
            {is_now} AS is_now,
            {keys},
            currency,
            if(is_now = 1, toDate(assumeNotNull({date}), {zone:String}), toDate(0)) AS day,
            count() AS transactions,
            countIf(isNotNull(sale_amount) AND sale = 0) AS zero,
            countIf(isNull(sale_amount)) AS missing,
            countIf(isNotNull(commission) AND ifNull(commission, toDecimal64(0, 4)) = 0) AS zero_commission,
            countIf(sale > 0) AS positive,
            countIf(sale > 0 AND sale = truncate(sale)) AS whole,
            quantilesExactStateIf(0.25, 0.5, 0.75)(sale, sale > 0) AS quartiles
        FROM {conversions} FINAL
        WHERE {scope} AND {is_transaction}
        GROUP BY is_now, {by}, currency, day
    )
SELECT
    is_now,
    {dimension} AS dimension,
    toString(currency) AS money_currency,
    toUInt8(grouping(summed.day)) AS is_all,
    summed.day AS day,
    sum(summed.transactions) AS transactions,
    sum(summed.zero) AS zero,
    sum(summed.missing) AS missing,
    sum(summed.zero_commission) AS zero_commission,
    sum(summed.positive) AS positive,
    sum(summed.whole) AS whole,
    quantilesExactMerge(0.25, 0.5, 0.75)(summed.quartiles) AS quartiles
FROM summed
GROUP BY GROUPING SETS ((is_now, {by}, currency, summed.day), (is_now, {by}, currency))
ORDER BY dimension, money_currency, day
