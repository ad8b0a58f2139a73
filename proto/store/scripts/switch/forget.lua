#!lua flags=allow-oom
-- W. Of what this person switched off it is no longer said who did it. -> how many there were.
-- name.
local W, forgotten = KEYS[1], 0
for _, switch in ipairs(redis.call('HKEYS', W)) do
    local fine, said = pcall(cjson.decode, redis.call('HGET', W, switch))
    if fine and type(said) == 'table' and said.by == ARGV[1] then
        said.by = ''
        redis.call('HSET', W, switch, cjson.encode(said))
        forgotten = forgotten + 1
    end
end
return {'ok', forgotten}
