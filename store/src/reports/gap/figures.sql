SELECT
    toUInt8(grouping(dimension)) AS is_total,
    {dimension} AS dimension,
    currency AS money_currency,
    countIf(has_own) AS own,
    countIf(class = 'matched') AS matched,
    countIf(class = 'reversed') AS reversed,
    countIf(class = 'cancelled') AS cancelled,
    countIf(class = 'returned') AS returned,
    countIf(class = 'out_of_network') AS out_of_network,
    countIf(class = 'immature') AS immature,
    countIf(class = 'signal_only') AS signal_only,
    countIf(class = 'missing') AS missing,
    countIf(class = 'extra') AS extra,
    sumIf(own_amount, has_own) AS own_amount_sum,
    sumIf(own_amount, class = 'matched') AS matched_amount,
    sumIf(own_amount, class IN ('missing', 'signal_only')) AS unexplained_amount,
    sumIf(their_amount, class = 'extra') AS extra_amount,
    countIf(is_standing) AS standing,
    sumIf(their_amount, is_standing) AS standing_amount,
    countIf(other_amount) AS other_amounts,
    sumIf(their_amount - own_amount, other_amount) AS amount_difference,
    countIf(other_currency) AS other_currencies,
    countIf(other_click) AS other_clicks
FROM ({keyed})
GROUP BY GROUPING SETS ((dimension, money_currency), (money_currency))
ORDER BY is_total, dimension, money_currency
