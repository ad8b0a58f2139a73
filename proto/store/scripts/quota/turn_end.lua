#!lua flags=allow-oom
-- A Q. The turn is over; or A alone.
-- turn, session, what it has now, keep.
redis.call('ZREM', KEYS[1], ARGV[1])
if KEYS[2] then
    storage_note(KEYS[2], ARGV[2], tonumber(ARGV[3]), ARGV[4], false)
end
return {'ok', 0}
