#!lua flags=allow-oom
-- A. The turn runs on: its place is kept as its lease is. -> verdict (quota_verdict).
-- turn, lease.
local A, lease = KEYS[1], tonumber(ARGV[2])
local till = now_ms() + lease
redis.call('ZADD', A, till, ARGV[1])
if redis.call('PTTL', A) < lease then
    redis.call('PEXPIRE', A, lease)
end
return {'ok', 0}
