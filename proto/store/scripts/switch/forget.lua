#!lua flags=allow-oom
-- W. Of what this person switched off it is no longer said who did it.
-- name.
local W = KEYS[1]
for _, switch in ipairs(redis.call('HKEYS', W)) do
    local fine, said = pcall(cjson.decode, redis.call('HGET', W, switch))
    if fine and type(said) == 'table' and said.by == ARGV[1] then
        said.by = ''
        redis.call('HSET', W, switch, cjson.encode(said))
    end
end
return {'ok'}
