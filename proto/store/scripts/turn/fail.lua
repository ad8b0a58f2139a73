#!lua flags=allow-oom
-- S M F L T E. -> turn, owner, when, the session's bytes.
-- turn, expected epoch, state to end in, word, batch of the event, events' keep.
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
local expected = tonumber(ARGV[2])
local t = turn_read(T)
if not t or redis.call('EXISTS', S) == 0 then
    return {'fenced'}
end
local now, owner = now_ms(), redis.call('HGET', S, 'owner')
if not turn_open(t) then
    local from = tonumber(redis.call('HGET', T, 'from'))
    local same = from == expected and t.state == ARGV[3] and redis.call('HGET', T, 'why') == ARGV[4]
    return {same and 'ok' or 'turn_over', turn_answer(t, now), owner, updated(S)}
end
if expected < t.epoch then
    return {'fenced'}
end
expire(redis.call('HGET', S, 'life') or 0, S, M, F, L, T, E) -- it may be shorter since it was abandoned
turn_stop(t, now, S, T, E, ARGV[1], expected, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return {'ok', turn_answer(t, now), owner, updated(S), session_bytes(S)}
