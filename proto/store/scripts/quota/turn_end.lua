#!lua flags=allow-oom
-- A. The turn is over.
-- turn.
redis.call('ZREM', KEYS[1], ARGV[1])
return {'ok', 0}
