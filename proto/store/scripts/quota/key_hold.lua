#!lua flags=allow-oom
-- K C Q X O. A call goes on, and stays counted. One that was given up as lost is not counted again.
-- call, lease.
local C, lease = KEYS[2], tonumber(ARGV[2])
redis.call('ZADD', C, 'XX', now_ms() + lease, ARGV[1])
if redis.call('PTTL', C) < lease then
    redis.call('PEXPIRE', C, lease)
end
return {'ok', 0}
