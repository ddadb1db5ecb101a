CREATE OR REPLACE VIEW postbacks
(
    {columns}
)
AS
SELECT * FROM postbacks_g{generation} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per received postback, each once. Reads generation {generation}.'
