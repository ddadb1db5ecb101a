-- One row per dimension and currency of the sale, and one per currency alone (is_total); those of the
-- range before for themselves, where it is read along.
WITH
    -- All rows once: what follows has a few thousand rows at most.
    summed AS (
        WITH
            ifNull(sale_amount, toDecimal64(0, 4)) AS sale,
            ifNull(commission, toDecimal64(0, 4)) AS earned,
            (sale >= 0 AND earned >= 0) AS is_transaction,
            (sale < 0 OR earned < 0 OR status = 'reversed') AS is_reversal,
            -- Amounts of unknown currencies cannot be added to each other.
            currency != '' AS is_addable
        SELECT
            {is_now} AS is_now,
            {keys},
            currency,
            countIf(is_transaction) AS transactions,
            countIf(is_reversal) AS reversals,
            sumIf(sale, is_addable AND sale >= 0) AS gross_sales,
            sumIf(if(sale < 0, sale, -sale), is_addable AND (sale < 0 OR status = 'reversed')) AS reversed_sales,
            sumIf(if(earned < 0, earned, -earned), is_addable AND currency = commission_currency AND (earned < 0 OR status = 'reversed')) AS reversed_commission,
            countIf(is_reversal AND isNotNull(occurred_at)) AS dated,
            quantilesExactStateIf({levels})(
                toUnixTimestamp64Micro(ifNull(processed_at, received_at)) - toUnixTimestamp64Micro(assumeNotNull(occurred_at)),
                is_reversal AND isNotNull(occurred_at)) AS delays
        FROM {conversions} FINAL
        WHERE {scope} AND kind = 'transaction' AND status != 'rejected'
        GROUP BY is_now, {by}, currency
    )
SELECT
    is_now,
    toUInt8(grouping(by0)) AS is_total,
    if(is_total = 1, [], {dimension}) AS dimension,
    toString(currency) AS money_currency,
    sum(summed.transactions) AS transactions,
    sum(summed.reversals) AS reversals,
    sum(summed.gross_sales) AS gross_sales,
    sum(summed.reversed_sales) AS reversed_sales,
    sum(summed.reversed_commission) AS reversed_commission,
    sum(summed.dated) AS dated,
    quantilesExactMerge({levels})(summed.delays) AS delays
FROM summed
GROUP BY GROUPING SETS ((is_now, {by}, currency), (is_now, currency))
ORDER BY is_total, dimension, money_currency
