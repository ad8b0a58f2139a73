#!lua flags=no-writes
-- S M F L. A page of a conversation, about as many bytes as asked for. -> the session (first page: else
-- nothing), messages {id, record, ...}, flags {id, flags, ...}, up to which message the page went,
-- and all pages go: what is said meanwhile is not among them; what its owner said of them {id, sentiment,
-- comment, ...}.
-- owner, prefix of the turns' keys, after, up to (after 0: to the last one now), bytes, a reader's token (or '':
-- the owner reads), whole ('whole': with what other versions of its questions led to).
local S, M, F = unpack(KEYS)
local after, upto, bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local reads = ARGV[6] ~= ''
if not (reads and shared(S, ARGV[6]) or not reads and owned(S, ARGV[1])) then
    return {'session_not_found'}
end
local wait = unsure(S)
if wait then
    return wait
end
local session, said = {}, {}
if after == 0 then
    session = session_answer(S, ARGV[2], now_ms(), true)
    upto = tonumber(redis.call('HGET', S, 'mseq')) or 0
end
local messages, flags, went = messages_page(M, F, after, upto, bytes, ARGV[7] == 'whole' and versions_hidden(M))
for i = 1, #messages, 2 do
    local f = not reads and feedback_read(S, messages[i])
    if f then
        said[#said + 1], said[#said + 2], said[#said + 3] = messages[i], f[1], f[2]
    end
end
return {'ok', session, messages, flags, went, upto, said}
