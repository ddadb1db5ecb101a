-- One row per dimension and currency, and one per currency alone (is_total).
WITH
    missed AS ({missed}),
    summed AS (
        SELECT
            {keys},
            currency,
            count() AS transactions,
            countIf(is_missed) AS missed,
            sumIf(ifNull(sale_amount, toDecimal64(0, 4)), is_missed AND currency != '') AS missed_sales,
            sumIf(ifNull(commission, toDecimal64(0, 4)), is_missed AND currency != '' AND currency = commission_currency) AS missed_commission,
            countIf(is_missed AND why = 1) AS while_off,
            countIf(is_missed AND why = 2) AS while_refused
        FROM (
            SELECT *, (account, key_day, conversion_key) IN (SELECT account, key_day, conversion_key FROM missed) AS is_missed,
                if(is_missed, {why}, 0) AS why
            FROM {conversions} FINAL
            WHERE {scope} AND kind = 'transaction'
        )
        GROUP BY {by}, currency
    )
SELECT
    toUInt8(grouping(by0)) AS is_total,
    if(is_total = 1, [], {dimension}) AS dimension,
    toString(currency) AS money_currency,
    sum(summed.transactions) AS transactions,
    sum(summed.missed) AS missed,
    sum(summed.missed_sales) AS missed_sales,
    sum(summed.missed_commission) AS missed_commission,
    sum(summed.while_off) AS while_off,
    sum(summed.while_refused) AS while_refused
FROM summed
GROUP BY GROUPING SETS (({by}, currency), (currency))
ORDER BY is_total, dimension, money_currency
