#!lua flags=allow-oom
-- Q. All of a person's sessions were counted. What was noted within the last minute is later than the count.
-- keep, then (session, bytes) of each that is there.
local Q, now, fresh, sum = KEYS[1], now_ms(), {}, 0
local all = redis.call('HGETALL', Q)
for i = 1, #all, 2 do
    local bytes, at = string.match(all[i + 1], '^(%d+) (%d+)$')
    if at and now - tonumber(at) < 60000 then
        fresh[all[i]] = {tonumber(bytes), tonumber(at)}
    end
end
redis.call('DEL', Q)
for i = 2, #ARGV, 2 do
    if not fresh[ARGV[i]] then
        fresh[ARGV[i]] = {tonumber(ARGV[i + 1]), now - 60000}
    end
end
for sid, one in pairs(fresh) do
    redis.call('HSET', Q, sid, string.format('%d %d', one[1], one[2]))
    sum = sum + one[1]
end
redis.call('HSET', Q, 'sum', sum, 'counted', now)
expire(ARGV[1], Q)
return {'ok'}
