#!lua
-- K C Q X O. Begins a call by a provider's key, in line by person: each one's calls in order of asking, one of
-- each person in turn. Who is not asked after in time has left the line. -> verdict (quota_verdict), wait, whether
-- nothing limits the key: then the call is not counted, and others need not ask for a while.
-- call, place (quota_place), requests a minute, tokens a minute, concurrent, tokens, patience, lease, ask again,
-- owner.
local K, C, Q, X, O = unpack(KEYS)
local call, in_line, again, owner, now = ARGV[1], ARGV[2] ~= '0', ARGV[2] == '2', ARGV[10], now_ms()
local per_minute, tokens_per_minute = tonumber(ARGV[3]), tonumber(ARGV[4])
local concurrent, tokens, patience = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local ask_again = tonumber(ARGV[9])
local WAIT, NEVER = 4, 5 -- verdicts
if per_minute == 0 and tokens_per_minute == 0 and concurrent == 0 and redis.call('EXISTS', K, Q, C) == 0 then
    return {'ok', 0, 0, 1}
end
if redis.call('ZSCORE', C, call) then -- sent again
    return {'ok', 0, 0}
end
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', X, '-inf', now)) do
    redis.call('ZREM', Q, lost)
    redis.call('ZREM', X, lost)
end
redis.call('ZREMRANGEBYSCORE', C, '-inf', now)
local v = redis.call('HMGET', K, 'blocked', 'rat', 'tat', 'round', 'pace')
local blocked, rat, tat = tonumber(v[1]) or 0, tonumber(v[2]) or 0, tonumber(v[3]) or 0
local round, pace = tonumber(v[4]) or 0, tonumber(v[5]) or 0

-- The line's order: the round in which a call goes, in it the order of asking.
local ORDER = 1048576
local place = tonumber(redis.call('ZSCORE', Q, call))
local last = tonumber(redis.call('HGET', O, owner)) or 0
local known = place ~= nil
if not known then
    local mine = again and round - 1 or in_line and round or math.max(round, last) + 1
    place = mine * ORDER + redis.call('HINCRBY', K, 'asked', 1) % ORDER
end
local before = redis.call('ZCOUNT', Q, '-inf', '(' .. string.format('%.0f', place))

-- A tenth of the minute's requests may go at once; the rest is spread, so that no sixty seconds see
-- more than allowed. Tokens likewise, by the second. After a refusal nothing goes at once.
local burst = math.floor(per_minute / 10)
local every = per_minute > 0 and math.ceil(60000 / (per_minute - burst)) or 0
-- A refusal's pace recovers with time: all of it counts until the block's end, nothing 5 s later.
if pace > 0 and blocked < now then
    pace = math.floor(pace * math.max(0, 5000 - (now - blocked)) / 5000)
    rat = math.min(rat, now + pace + burst * every)
    if pace == 0 then
        redis.call('HDEL', K, 'pace', 'paced')
    end
end
if pace > 0 then
    every, burst = math.max(every, pace), 0
end
local cost = tokens_per_minute > 0 and math.ceil(tokens * 66000 / tokens_per_minute) or 0
local start = math.max(now, blocked)
-- One that was at the provider before had its turn: it counts, but waits for nobody's.
if every > 0 and not again then
    start = math.max(start, math.max(rat, start) + (before - burst) * every)
end
if cost > 0 and not again then
    start = math.max(start, math.max(tat, now) + before * cost - 6000)
end
if start <= now and concurrent > 0 and redis.call('ZCARD', C) + before >= concurrent then
    start = now + math.min(1000, 100 * (before + 1))
end
-- Who is in line leaves it for a refusal alone, or when the patience is over: the line's own pace wavers.
local far = in_line and blocked or start
if start > now and (far - now > patience or patience <= 0) then
    redis.call('ZREM', Q, call)
    redis.call('ZREM', X, call)
    return {'ok', NEVER, start - now}
end
local keep = start - now + 600000
if start > now then
    if not known then
        redis.call('ZADD', Q, string.format('%.0f', place), call)
        redis.call('HSET', O, owner, math.max(last, math.floor(place / ORDER)))
    end
    redis.call('ZADD', X, now + math.min(start - now, ask_again) + 5000, call)
    for _, key in ipairs({K, Q, X, O}) do
        redis.call('PEXPIRE', key, keep)
    end
    return {'ok', WAIT, start - now}
end
redis.call('ZREM', Q, call)
redis.call('ZREM', X, call)
if redis.call('EXISTS', Q) == 0 then
    redis.call('DEL', O)
    redis.call('HDEL', K, 'round', 'asked')
elseif math.floor(place / ORDER) > round then
    redis.call('HSET', K, 'round', string.format('%.0f', math.floor(place / ORDER)))
end
if every > 0 then
    redis.call('HSET', K, 'rat', string.format('%.0f', math.max(rat, now) + every))
end
if cost > 0 then
    redis.call('HSET', K, 'tat', string.format('%.0f', math.max(tat, now) + cost))
end
redis.call('PEXPIRE', K, keep)
redis.call('ZADD', C, now + ARGV[8], call)
if redis.call('PTTL', C) < tonumber(ARGV[8]) then
    redis.call('PEXPIRE', C, ARGV[8])
end
return {'ok', 0, 0}
