#!lua
-- S. The session is shared, or no longer. -> the token that its readers know, '' when it is not shared. Shared
-- again: the same token.
-- owner, a token (or '': nobody may read it any more), the datasource that a reader must be allowed to read (or '').
-- Durable.
local S = KEYS[1]
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
if ARGV[2] == '' then
    redis.call('HDEL', S, 'share', 'sharefor')
elseif redis.call('HEXISTS', S, 'share') == 0 then
    redis.call('HSET', S, 'share', ARGV[2], 'sharefor', ARGV[3])
end
return {'ok', redis.call('HGET', S, 'share') or ''}
