#!lua flags=allow-oom
-- S M F L T E. -> turn, when, the session's bytes. A worker has loaded it and holds it: that one is to end it. Else it
-- ends here: one that is queued anywhere has said nothing in this epoch.
-- owner, turn, batch of the event, events' keep, how long a session that isn't listed lives on once its turn is
-- over (0: as before).
-- Durable.
local S, M, F, L, T, E = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local t = turn_read(T)
if not t then
    return {redis.call('ZSCORE', L, ARGV[2]) and 'turn_over' or 'turn_not_found'}
end
local now = now_ms()
if ARGV[5] ~= '0' and redis.call('HEXISTS', S, 'life') == 1 then
    redis.call('HSET', S, 'life', ARGV[5])
    if not turn_open(t) then
        expire(ARGV[5], S, M, F, L, T, E)
    end
end
if not turn_open(t) then
    return {t.state == 'cancelled' and 'ok' or 'turn_over', turn_answer(t, now), updated(S)}
end
t.cancel = true
redis.call('HSET', T, 'cancel', 1)
local loaded = tonumber(redis.call('HGET', T, 'loaded')) == t.epoch
if t.state == 'awaiting' or t.lease <= now or not loaded then
    expire(redis.call('HGET', S, 'life') or 0, S, M, F, L, T, E)
    turn_stop(t, now, S, T, E, ARGV[2], 0, 'cancelled', 'cancelled', ARGV[3], ARGV[4])
end
return {'ok', turn_answer(t, now), updated(S), session_bytes(S)}
