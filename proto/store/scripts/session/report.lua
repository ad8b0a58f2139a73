#!lua flags=no-writes
-- S. An alert's report, for those who may read its datasource. -> its readers' token ('': it is none), that
-- datasource, title, when it was made.
local v = redis.call('HMGET', KEYS[1], 'share', 'sharefor', 'title', 'created')
if not v[1] or (v[2] or '') == '' then
    return {'ok', ''}
end
return {'ok', v[1], v[2], v[3] or '', tonumber(v[4]) or 0}
