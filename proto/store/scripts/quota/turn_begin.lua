#!lua
-- A M B Q. May a person begin this turn? -> verdict (quota_verdict), wait, ms since all of
-- a person's sessions were counted.
-- turn, at once, a minute, lease, most tokens, most cost, most bytes of all sessions.
local A, M, B, Q = unpack(KEYS)
local turn, at_once, per_minute, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local WAIT, BYTES = 4, 7 -- verdicts
redis.call('ZREMRANGEBYSCORE', A, '-inf', now)
redis.call('ZREMRANGEBYSCORE', M, '-inf', now - 60000)
if redis.call('ZSCORE', A, turn) then -- sent again
    return {'ok', 0, 0}
end
local used = redis.call('HMGET', B, 'tokens', 'cost')
for i, most in ipairs({ARGV[5], ARGV[6]}) do
    if tonumber(most) > 0 and (tonumber(used[i]) or 0) >= tonumber(most) then
        return {'ok', i, 0} -- TOKENS, COST
    end
end
local bytes_max = tonumber(ARGV[7])
local kept = redis.call('HMGET', Q, 'sum', 'counted')
if bytes_max > 0 and (tonumber(kept[1]) or 0) >= bytes_max then
    return {'ok', BYTES, 0, now - (tonumber(kept[2]) or 0)}
end
if at_once > 0 and redis.call('ZCARD', A) >= at_once then
    return {'ok', WAIT, 2000}
end
if per_minute > 0 and redis.call('ZCARD', M) >= per_minute then
    local first = redis.call('ZRANGE', M, 0, 0, 'WITHSCORES')
    return {'ok', WAIT, math.max(1, first[2] + 60000 - now)}
end
redis.call('ZADD', A, now + lease, turn)
redis.call('PEXPIRE', A, lease)
if per_minute > 0 then
    redis.call('ZADD', M, now, turn)
    redis.call('PEXPIRE', M, 60000)
end
return {'ok', 0, 0}
