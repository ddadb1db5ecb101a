CREATE OR REPLACE VIEW orders AS
SELECT * FROM conversions_g{generation} FINAL
WHERE kind = 'order'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Own orders, to compare conversions with, each in its newest revision: status is placed, cancelled, returned or out_of_network, occurred_at when it was placed, processed_at when it was changed. Reads generation {generation}.'
