#!lua flags=allow-oom
-- Q. What a session has now; 0: it is gone. One that is not there was deleted meanwhile (its place was taken before it
-- was made), and comes back by nobody's late word.
-- session, bytes, keep, whether it was another owner's until now (1).
local Q, sid, bytes = KEYS[1], ARGV[1], tonumber(ARGV[2])
local v = redis.call('HMGET', Q, 'sum', 'counted', sid)
if not v[3] and ARGV[4] ~= '1' then
    return {'ok'}
end
local sum, had = tonumber(v[1]) or 0, v[3] and tonumber(string.match(v[3], '^%d+')) or 0
redis.call('HSET', Q, 'sum', math.max(0, sum + bytes - had), 'counted', v[2] or 0)
if bytes > 0 then
    redis.call('HSET', Q, sid, string.format('%d %d', bytes, now_ms()))
else
    redis.call('HDEL', Q, sid)
end
if redis.call('HLEN', Q) == 2 then -- the last session is gone
    redis.call('DEL', Q)
    return {'ok'}
end
expire(ARGV[3], Q)
return {'ok'}
