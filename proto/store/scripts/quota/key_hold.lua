#!lua flags=allow-oom
-- K C Q X O. A call goes on: its slot is kept. One that was given up as lost is not taken again.
-- slot, lease.
local C, lease = KEYS[2], tonumber(ARGV[2])
redis.call('ZADD', C, 'XX', now_ms() + lease, ARGV[1])
if redis.call('PTTL', C) < lease then
    redis.call('PEXPIRE', C, lease)
end
return {'ok', 0}
