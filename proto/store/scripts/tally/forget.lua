#!lua flags=allow-oom
-- U. Nothing of this person's is told any more.
-- owner.
local U, start = KEYS[1], ARGV[1] .. '\n'
for _, field in ipairs(redis.call('HKEYS', U)) do
    if string.sub(field, 1, #start) == start then
        redis.call('HDEL', U, field)
    end
end
return {'ok'}
