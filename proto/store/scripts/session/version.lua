#!lua
-- S M F L. Shows another version of a question, with what came of it. owner, the question, prefix of the turns' keys.
-- Durable.
local S, M = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local shown
for _, one in ipairs(versions_find(versions_read(S), ARGV[2]) or {ARGV[2]}) do
    if is_question(M, one) then
        shown = one
    end
end
if not shown then -- nor when their place is itself behind another version
    return {'message_not_found'}
end
local running = redis.call('HGET', S, 'running') or ''
local t = running ~= '' and turn_read(ARGV[3] .. running)
if t and turn_open(t) then
    return {'turn_running', running}
end
if shown ~= ARGV[2] then
    version_move(S, M, shown, true)
    version_move(S, M, ARGV[2], false)
end
return {'ok'}
