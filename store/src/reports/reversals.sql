-- One row per dimension and currency of the sale, and one per currency alone (is_total).
WITH
    ifNull(sale_amount, toDecimal64(0, 4)) AS sale,
    ifNull(commission, toDecimal64(0, 4)) AS earned,
    (sale >= 0 AND earned >= 0) AS is_transaction,
    (sale < 0 OR earned < 0 OR status = 'reversed') AS is_reversal,
    -- Amounts of unknown currencies cannot be added to each other.
    currency != '' AS is_addable
SELECT
    toUInt8(grouping(dimension)) AS is_total,
    {dimension} AS dimension,
    toString(currency) AS money_currency,
    countIf(is_transaction) AS transactions,
    countIf(is_reversal) AS reversals,
    sumIf(sale, is_addable AND sale >= 0) AS gross_sales,
    sumIf(if(sale < 0, sale, -sale), is_addable AND (sale < 0 OR status = 'reversed')) AS reversed_sales,
    sumIf(if(earned < 0, earned, -earned), is_addable AND currency = commission_currency AND (earned < 0 OR status = 'reversed')) AS reversed_commission,
    countIf(is_reversal AND isNotNull(occurred_at)) AS dated,
    {quantiles}(
        toUnixTimestamp64Micro(ifNull(processed_at, received_at)) - toUnixTimestamp64Micro(assumeNotNull(occurred_at)),
        is_reversal AND isNotNull(occurred_at)) AS delays
FROM {conversions} FINAL
WHERE {scope} AND kind = 'transaction' AND status != 'rejected'
GROUP BY GROUPING SETS ((dimension, money_currency), (money_currency))
ORDER BY is_total, dimension, money_currency
