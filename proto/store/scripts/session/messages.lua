#!lua flags=no-writes
-- S M F L. A page of messages to be copied. -> {id, record, ...}, {id, flags, ...}, up to which message it went.
-- owner, after, up to, bytes.
local S, M, F = unpack(KEYS)
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
return {'ok', messages_page(M, F, tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))}
