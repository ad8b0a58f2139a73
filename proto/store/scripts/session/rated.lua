#!lua flags=no-writes
-- S M F L. What was said of its answers, for the operator: of those past a message, a few. -> {message, sentiment,
-- comment, when, {id, record, ...: from the question up to that answer}} of each, by message; whether there are more.
-- after, how many at most.
local S, M = KEYS[1], KEYS[2]
local QUESTION_FAR = 200 -- messages between a question and its answer
local ids, found, more = {}, {}, 0
for _, field in ipairs(redis.call('HKEYS', S)) do
    local id = tonumber(string.match(field, '^fb:(%d+)$'))
    if id and id > tonumber(ARGV[1]) then
        ids[#ids + 1] = id
    end
end
table.sort(ids)
for _, id in ipairs(ids) do
    local said = feedback_read(S, string.format('%d', id))
    if #found >= tonumber(ARGV[2]) then
        more = 1
        break
    end
    local records = {}
    for at = id, math.max(1, id - QUESTION_FAR), -1 do
        local record = redis.call('HGET', M, string.format('%d', at))
        if record then
            table.insert(records, 1, record)
            table.insert(records, 1, string.format('%d', at))
            local fine, message = pcall(cmsgpack.unpack, record)
            if fine and type(message) == 'table' and message.role == 0 then
                break
            end
        end
    end
    if said then
        found[#found + 1] = {id, said[1], said[2], said[3], records}
    end
end
return {'ok', found, more}
