-- Of each day what its gap is made of: what else the server would know of an order is left out.
WITH {keys}
SELECT
    {dimension} AS dimension,
    countIf(class >= 8) AS unexplained,
    countIf(class = 2 OR class >= 8) AS all_of_them
FROM ({keyed})
WHERE has_own
GROUP BY {by}
HAVING all_of_them > 0
ORDER BY dimension
