CREATE OR REPLACE VIEW statements AS
SELECT * FROM conversions_g{generation} FINAL
WHERE kind = 'statement'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Lines of networks'' statements, to compare conversions with, each in its newest revision. Reads generation {generation}.'
