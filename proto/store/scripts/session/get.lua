#!lua flags=no-writes
-- S. -> session.
-- owner, with its settings (1) or without (0), prefix of the turns' keys.
if not owned(KEYS[1], ARGV[1]) then
    return {'session_not_found'}
end
return {'ok', session_answer(KEYS[1], ARGV[3], now_ms(), ARGV[2] == '1')}
