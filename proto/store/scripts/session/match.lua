#!lua flags=no-writes
-- S M F L. Does the title or a message's text contain all words? -> 1, the session, and of a message
-- what stands around its first word; 0; or 2 and the message to go on from, so that one call never
-- holds Redis up for long.
-- owner, prefix of the turns' keys, first message, bytes to look through, words (lower case)...
local S, M = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
local function contains(text)
    text = string.lower(text)
    for i = 5, #ARGV do
        if not string.find(text, ARGV[i], 1, true) then
            return false
        end
    end
    return true
end
-- Whole characters of UTF-8: no byte of 80..BF begins one.
local function around(text)
    local at = string.find(string.lower(text), ARGV[5], 1, true)
    local first, last = math.max(1, at - 40), at + 120
    while first < at and string.find(text, '^[\128-\191]', first) do
        first = first + 1
    end
    while last > at and string.find(text, '^[\128-\191]', last + 1) do
        last = last - 1
    end
    return string.sub(text, first, last)
end
local from, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
if from == 0 and contains(redis.call('HGET', S, 'title') or '') then
    return {'ok', 1, session_answer(S, ARGV[2], now_ms())}
end
for id = math.max(from, 1), tonumber(redis.call('HGET', S, 'mseq')) or 0 do
    if budget <= 0 then
        return {'ok', 2, id}
    end
    local bytes = redis.call('HGET', M, id)
    if bytes then
        budget = budget - #bytes
        local fine, message = pcall(cmsgpack.unpack, bytes)
        local text = fine and type(message) == 'table' and message.text
        if type(text) == 'string' and contains(text) then
            return {'ok', 1, session_answer(S, ARGV[2], now_ms()), around(text)}
        end
    end
end
return {'ok', 0}
