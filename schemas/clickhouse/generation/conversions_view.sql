CREATE OR REPLACE VIEW conversions AS
SELECT * FROM conversions_g{generation} FINAL
WHERE kind NOT IN ('order', 'statement')
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Conversions, as networks push them, each in its newest revision. Preliminary: networks settle by their own statements. Reads generation {generation}.'
