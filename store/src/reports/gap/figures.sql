-- Classes by their numbers: see CLASSES of this folder. Amounts of unknown currencies cannot be added to each
-- other, and none to those of another currency.
WITH {keys}, currency != '' AS is_addable
SELECT
    toUInt8(grouping(by0)) AS is_total,
    if(is_total = 1, [], {dimension}) AS dimension,
    currency AS money_currency,
    countIf(has_own) AS own,
    countIf(class = 2) AS matched,
    countIf(class = 3) AS reversed,
    countIf(class = 4) AS cancelled,
    countIf(class = 5) AS returned,
    countIf(class = 6) AS out_of_network,
    countIf(class = 7) AS immature,
    countIf(class = 8) AS signal_only,
    countIf(class = 9) AS missing,
    countIf(class = 1) AS extra,
    sumIf(own_amount, has_own AND is_addable) AS own_amount_sum,
    sumIf(own_amount, class = 2 AND is_addable) AS matched_amount,
    sumIf(own_amount, class >= 8 AND is_addable) AS unexplained_amount,
    sumIf(their_amount, class = 1 AND is_addable) AS extra_amount,
    countIf(is_standing) AS standing,
    sumIf(their_amount, is_standing AND is_addable AND own_money = their_money) AS standing_amount,
    countIf(other_amount) AS other_amounts,
    sumIf(their_amount - own_amount, other_amount AND is_addable AND own_money = their_money) AS amount_difference,
    countIf(other_currency) AS other_currencies,
    countIf(other_click) AS other_clicks,
    countIf(has_own AND own_is_unpriced) AS own_unpriced,
    sumIf(own_rows, class = 0) AS own_unnumbered,
    sumIf(sales, class = 0) AS their_unnumbered
FROM ({keyed})
GROUP BY GROUPING SETS (({by}, money_currency), (money_currency))
ORDER BY is_total, dimension, money_currency
