#!lua flags=no-writes
-- S M F L. -> session, messages {id, record, ...}, flags {id, flags, ...}.
-- owner, messages as well (1), neither them nor settings (-1), prefix of the turns' keys.
local S, M, F = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local messages, flags = {}, {}
if ARGV[2] == '1' then
    local wait = unsure(S)
    if wait then
        return wait
    end
    messages, flags = messages_read(S, M), redis.call('HGETALL', F)
end
return {'ok', session_answer(S, ARGV[3], now_ms(), ARGV[2] ~= '-1'), messages, flags}
