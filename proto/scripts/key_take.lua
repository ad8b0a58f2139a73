#!lua
-- K C. A slot of a provider's key, given out in order of asking. -> verdict, wait (limits.h).
-- slot, in line, requests a minute, tokens a minute, concurrent, tokens, patience, lease.
local K, C = unpack(KEYS)
local slot, in_line, now = ARGV[1], ARGV[2] == '1', now_ms()
local per_minute, tokens_per_minute = tonumber(ARGV[3]), tonumber(ARGV[4])
local concurrent, tokens = tonumber(ARGV[5]), tonumber(ARGV[6])
local v = redis.call('HMGET', K, 'blocked', 'rat', 'tat')
local blocked, rat, tat = tonumber(v[1]) or 0, tonumber(v[2]) or 0, tonumber(v[3]) or 0
if not in_line or blocked > now then
    -- A tenth of the minute's requests may go at once; the rest is spread, so that no sixty seconds
    -- see more than allowed. Tokens likewise, by the second.
    local start = math.max(now, blocked)
    local burst = math.floor(per_minute / 10)
    local every = per_minute > 0 and math.ceil(60000 / (per_minute - burst)) or 0
    if per_minute > 0 then
        start = math.max(start, rat - burst * every)
    end
    if tokens_per_minute > 0 then
        start = math.max(start, tat - 6000)
    end
    if start - now > tonumber(ARGV[7]) then
        return {'ok', 5, start - now}
    end
    if per_minute > 0 then
        redis.call('HSET', K, 'rat', string.format('%.0f', math.max(rat, start) + every))
    end
    if tokens_per_minute > 0 then
        local cost = math.ceil(tokens * 66000 / tokens_per_minute)
        redis.call('HSET', K, 'tat', string.format('%.0f', math.max(tat, start) + cost))
    end
    redis.call('PEXPIRE', K, math.max(start - now, 0) + 600000)
    if start > now then
        return {'ok', 4, start - now}
    end
end
if concurrent > 0 then
    redis.call('ZREMRANGEBYSCORE', C, '-inf', now)
    if not redis.call('ZSCORE', C, slot) and redis.call('ZCARD', C) >= concurrent then
        return {'ok', 4, 100}
    end
    redis.call('ZADD', C, now + ARGV[8], slot)
    redis.call('PEXPIRE', C, ARGV[8])
end
return {'ok', 0, 0}
