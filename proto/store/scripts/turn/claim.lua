#!lua flags=allow-oom
-- S M F L T E. Takes a turn for its next epoch. -> turn.
-- turn, expected epoch, died, only if unheld, holder, lease, deaths that end it, batch of its
-- error event, events' keep.
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
local tid, expected, died, unheld = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] == '1'
local holder, lease = ARGV[5], tonumber(ARGV[6])
local t = turn_read(T)
if not t or redis.call('EXISTS', S) == 0 then
    return {'fenced'}
end
local now = now_ms()
local more = redis.call('HMGET', T, 'claimer', 'why', 'from')
if tonumber(more[3]) == expected and more[1] == holder then -- sent again
    if t.state == 'failed' and more[2] == 'worker_lost' then
        return {'worker_lost'}
    end
    if t.state == 'running' then
        return {'ok', turn_answer(t, now)}
    end
end
if not turn_open(t) then
    return {'turn_over'}
end
if t.state ~= 'running' or expected < t.epoch or (unheld and t.lease > now) then
    return {'fenced'}
end
if died then
    local deaths = redis.call('HINCRBY', T, 'deaths', 1)
    if deaths >= tonumber(ARGV[7]) then
        redis.call('HSET', T, 'claimer', holder)
        turn_stop(t, now, S, T, E, tid, expected, 'failed', 'worker_lost', ARGV[8], ARGV[9])
        return {'worker_lost', redis.call('HGET', S, 'owner'), now, session_bytes(S)}
    end
end
t.epoch, t.lease = turn_next(t, T, expected), now + lease
redis.call('HSET', T, 'epoch', t.epoch, 'lease', t.lease, 'holder', holder, 'claimer', holder, 'from', expected)
return {'ok', turn_answer(t, now)}
