-- One row per dimension and currency, and one per currency alone (is_total); those of the range before
-- for themselves, where it is read along. A conversion's sale counts under its currency, its commission
-- under its commission currency; counts go with the sale.
WITH
    -- All rows once, by both currencies: what follows has a few thousand rows at most.
    summed AS (
        WITH
            (kind = 'transaction' AND status != 'rejected') AS is_countable,
            ifNull(sale_amount, toDecimal64(0, 4)) AS sale,
            ifNull(commission, toDecimal64(0, 4)) AS earned,
            (is_countable AND sale >= 0 AND earned >= 0) AS is_transaction
        SELECT
            {is_now} AS is_now,
            {keys},
            currency,
            commission_currency,
            -- Counted at the end, each once: sets for each group, and then merged, cost twice as much. Of 100
            -- million orders, two have one hash in one of 3,700 cases.
            groupArrayIf(bitXor(cityHash64(advertiser_id, order_id), cityHash64(account)), is_transaction AND order_id != '') AS orders,
            countIf(is_transaction) AS transactions,
            countIf(is_countable AND (sale < 0 OR earned < 0 OR status = 'reversed')) AS reversals,
            sumIf(sale, is_countable AND sale >= 0) AS gross_sales,
            sumIf(if(sale < 0, sale, -sale), is_countable AND (sale < 0 OR status = 'reversed')) AS reversed_sales,
            sumIf(earned, is_countable AND earned >= 0) AS gross_commission,
            sumIf(if(earned < 0, earned, -earned), is_countable AND (earned < 0 OR status = 'reversed')) AS reversed_commission,
            countIf(kind = 'signal') AS signals,
            countIf(is_transaction AND click_id.size = 0) AS unattributed,
            countIf(kind = 'unknown') AS unknown,
            countIf(kind = 'transaction' AND status = 'rejected') AS rejected
        FROM {conversions} FINAL
        WHERE {scope}
        GROUP BY is_now, {by}, currency, commission_currency
    ),
    -- Which currency, with the sale and the counts, with the commission.
    arrayJoin(if(currency = commission_currency,
        [(toString(currency), true, true)],
        [(toString(currency), true, false), (toString(commission_currency), false, true)])) AS part,
    part.2 AS has_sale,
    part.3 AS has_commission,
    -- Amounts of unknown currencies cannot be added to each other.
    part.1 != '' AS is_addable
SELECT
    is_now,
    toUInt8(grouping(by0)) AS is_total,
    if(is_total = 1, [], {dimension}) AS dimension,
    part.1 AS money_currency,
    uniqExactArrayIf(summed.orders, has_sale) AS orders,
    sumIf(summed.transactions, has_sale) AS transactions,
    sumIf(summed.reversals, has_sale) AS reversals,
    sumIf(summed.gross_sales, has_sale AND is_addable) AS gross_sales,
    sumIf(summed.reversed_sales, has_sale AND is_addable) AS reversed_sales,
    sumIf(summed.gross_commission, has_commission AND is_addable) AS gross_commission,
    sumIf(summed.reversed_commission, has_commission AND is_addable) AS reversed_commission,
    sumIf(summed.signals, has_sale) AS signals,
    sumIf(summed.unattributed, has_sale) AS unattributed,
    sumIf(summed.unknown, has_sale) AS unknown,
    sumIf(summed.rejected, has_sale) AS rejected
FROM summed
GROUP BY GROUPING SETS ((is_now, {by}, money_currency), (is_now, money_currency))
ORDER BY is_total, dimension, money_currency
