#!lua flags=allow-oom
-- T. Renews the lease; once a worker has loaded the turn, only for that worker. -> turn.
-- epoch, holder, lease.
local T = KEYS[1]
local t = turn_read(T)
if not t or t.state ~= 'running' or t.epoch ~= tonumber(ARGV[1]) then
    return {'fenced'}
end
local now = now_ms()
local loaded = redis.call('HMGET', T, 'loaded', 'loader')
if tonumber(loaded[1]) ~= t.epoch or loaded[2] == ARGV[2] then
    t.lease = now + tonumber(ARGV[3])
    redis.call('HSET', T, 'lease', t.lease, 'holder', ARGV[2])
end
return {'ok', turn_answer(t, now)}
