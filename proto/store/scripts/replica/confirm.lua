#!lua flags=allow-oom
-- W. What these tokens stand for is copied.
-- tokens...
redis.call('HDEL', KEYS[1], unpack(ARGV))
return {'ok'}
