-- What a person switched holds until a person switches it again, however long ago that was. The table's
-- parts get the new limit when they are next merged: written anew at once, they would keep the migration
-- waiting for as long as the server merges nothing.

ALTER TABLE endpoint_history
    MODIFY TTL toDateTime(at) + INTERVAL 400 DAY DELETE WHERE what NOT IN ('off_by_hand', 'on_by_hand')
    SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE endpoint_history
    MODIFY COMMENT 'What the networks said of the endpoints, poll by poll, and what Postback did about it: kept for 400 days. What people switched is kept for good.';
