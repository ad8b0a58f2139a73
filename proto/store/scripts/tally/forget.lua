#!lua flags=allow-oom
-- U. Nothing of this person's is told any more. -> how many rows there were.
-- owner.
local U, start, forgotten = KEYS[1], ARGV[1] .. '\n', 0
for _, field in ipairs(redis.call('HKEYS', U)) do
    if string.sub(field, 1, #start) == start then
        forgotten = forgotten + redis.call('HDEL', U, field)
    end
end
return {'ok', forgotten}
