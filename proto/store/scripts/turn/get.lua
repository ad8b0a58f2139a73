#!lua flags=no-writes
-- S M F L T E. -> turn; and its owner and when it was begun. owner (unless checked is 0), turn, checked.
local S, M, F, L, T = unpack(KEYS)
if ARGV[3] == '1' and not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local t = turn_read(T)
if t then
    local owner, begun = redis.call('HGET', S, 'owner'), redis.call('HGET', T, 'begun')
    return {'ok', turn_answer(t, now_ms()), owner or '', tonumber(begun) or 0}
end
return {redis.call('ZSCORE', L, ARGV[2]) and 'events_expired' or 'turn_not_found'}
