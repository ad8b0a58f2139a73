#!lua flags=allow-oom
-- W. Writes something, behind all that was written so far: once that is copied, so is the rest.
-- Durable.
-- token.
redis.call('HSET', KEYS[1], ARGV[1], run_id())
return {'ok'}
