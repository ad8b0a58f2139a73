#!lua
-- Q. May a person's session take these bytes? A session that is not known yet is one more. -> verdict
-- (quota_verdict), ms since all were counted (a large number: never).
-- session, bytes, whether they are added to what it has (1) or all it has (0), most sessions, most bytes, keep.
local Q = KEYS[1]
local sid, bytes, add = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local sessions_max, bytes_max, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = now_ms()
local SESSIONS, BYTES = 6, 7 -- verdicts
local v = redis.call('HMGET', Q, 'sum', 'counted', sid)
local sum, had = tonumber(v[1]) or 0, v[3] and tonumber(string.match(v[3], '^%d+'))
local since = now - (tonumber(v[2]) or 0)
if add then
    bytes = bytes + (had or 0)
end
local more = bytes - (had or 0)
if not had and not add and sessions_max > 0 and redis.call('HLEN', Q) - 2 >= sessions_max then
    return {'ok', SESSIONS, since}
end
if more > 0 and bytes_max > 0 and sum + more > bytes_max then
    return {'ok', BYTES, since}
end
redis.call('HSET', Q, sid, string.format('%d %d', bytes, now), 'sum', sum + more, 'counted', v[2] or 0)
expire(keep, Q)
return {'ok', 0, since}
