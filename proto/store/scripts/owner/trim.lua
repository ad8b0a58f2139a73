#!lua flags=allow-oom
-- U V. Of an owner's list goes what is as old as sessions become, but for those that they keep; with none of these
-- the list itself goes when nothing is changed for that long.
-- the oldest that stays (Unix ms), keep.
local U, V = KEYS[1], KEYS[2]
if redis.call('EXISTS', V) == 0 then
    redis.call('ZREMRANGEBYSCORE', U, '-inf', ARGV[1])
    redis.call('PEXPIRE', U, ARGV[2])
    return {'ok'}
end
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', U, '-inf', ARGV[1])) do
    if redis.call('SISMEMBER', V, sid) == 0 then
        redis.call('ZREM', U, sid)
    end
end
redis.call('PERSIST', U)
return {'ok'}
