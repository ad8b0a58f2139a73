#!lua flags=allow-oom
-- K C Q X. A call is over, or leaves the line; after a 429 nobody uses the key for a while, and then one
-- after the other: at a pace that each refusal halves, and that calls which are taken make quicker again.
-- With time it is forgotten: quota/key_begin.lua.
-- call, tokens a minute, tokens beyond what was asked for, block (-1: the call alone was refused), lease, how long ago
-- it began (when it was not counted).
local K, C, Q, X = unpack(KEYS)
local call, per_minute, more, block = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now, leased = now_ms(), tonumber(redis.call('ZSCORE', C, ARGV[1]))
redis.call('ZREM', C, call)
redis.call('ZREM', Q, call)
redis.call('ZREM', X, call)
local v = redis.call('HMGET', K, 'blocked', 'tat', 'pace', 'paced')
if per_minute > 0 and more ~= 0 and v[2] then
    redis.call('HSET', K, 'tat', string.format('%.0f', v[2] + math.ceil(more * 66000 / per_minute)))
end
-- One that began before the pace was changed says nothing of it.
local pace, news = tonumber(v[3]) or 0, (leased and leased - ARGV[5] or now - ARGV[6]) >= (tonumber(v[4]) or 0)
if block > 0 then
    local till = math.max(tonumber(v[1]) or 0, now + block)
    redis.call('HSET', K, 'blocked', string.format('%.0f', till))
    if news then
        -- One that comes long after the last refusal's end begins anew.
        local fresh = now > (tonumber(v[1]) or 0) + 5000
        redis.call('HSET', K, 'pace', fresh and 100 or math.min(60000, math.max(100, pace * 2)), 'paced', now)
    end
    redis.call('PEXPIRE', K, block + 600000)
elseif block == 0 and pace > 0 and leased and news then
    if pace < 25 then
        redis.call('HDEL', K, 'pace', 'paced')
    else
        redis.call('HSET', K, 'pace', math.floor(pace * 0.9))
    end
end
return {'ok', 0}
