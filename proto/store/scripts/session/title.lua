#!lua flags=allow-oom
-- S M F L. What a model calls the conversation, unless its title is another one by now; and what that took. It
-- does not move in its owner's list. owner, title that it had, new one (or ''), tokens in, out, cached, cost.
local S = KEYS[1]
if not owned(S, ARGV[1]) then
    return {'session_not_found'}
end
for i, field in ipairs({'itok', 'otok', 'ctok', 'cost'}) do
    redis.call('HINCRBY', S, field, ARGV[3 + i])
end
if ARGV[3] ~= '' and redis.call('HGET', S, 'title') == ARGV[2] then
    redis.call('HSET', S, 'title', ARGV[3])
end
return {'ok'}
